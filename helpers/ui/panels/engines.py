"""The engines of this machine: which there are, what they take, start, stop, and what they say."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from helpers.bench.units import bytes_text
from helpers.engines import persistent
from helpers.engines.launch import launch
from helpers.engines.lease import Ticket
from helpers.engines.memory import host_memory
from helpers.engines.survey import EngineState, survey_engines
from helpers.errors import CourseError
from helpers.ui.panels import markup
from helpers.ui.panels.panel import Panel

REFRESH_MS = 2000
LOG_LINES, LOG_BYTES = 40, 64 * 1024


@dataclass(frozen=True, slots=True)
class Running:
    """An engine that runs.

    Attributes:
        resident_bytes: of its processes; None where they are nobody's children here (a container), or not ours to see.
        stays: it was started to stay, so that it can be stopped from here.
    """

    engine: str
    model: str
    url: str
    resident_bytes: int | None
    stays: bool
    log: Path

    @classmethod
    def of(cls, ticket: Ticket) -> "Running":
        """From the board of this machine's users."""
        facts = ticket.facts
        resident = _resident_bytes(facts["supervisor"])
        stays = bool(facts.get("persistent"))
        return cls(facts["engine"], facts["model"], facts["url"], resident, stays, Path(facts["log"]))


class EnginePanel(Panel):
    """State and memory of all engines; starts those that can run here, and stops those that were started to stay.

    What it starts is as `./course engines start` leaves it: it runs until it is stopped, and `helpers.launch` finds it.

    Args:
        model: what Start serves.
    """

    def __init__(self, model: str = "course") -> None:
        super().__init__()
        self.title = "Engines of this machine"
        self.model = model
        self._states: list[EngineState] = []
        self._running: list[Running] = []
        self._shown_log = ""
        self.refresh()

    def refresh(self) -> None:
        """Look again."""
        self._states = survey_engines()
        self._running = [Running.of(ticket) for ticket in persistent.running()]

    def start(self, engine: str, told: Callable[[str, float], None] | None = None) -> None:
        """Start an engine, and leave it running.

        Args:
            engine: its name.
            told: what happens meanwhile, and seconds since the start.

        Raises:
            As `helpers.launch`.
        """
        server = launch(engine, self.model, progress=told)
        if server.pid is not None:
            server.leave()
        self.refresh()

    def stop(self, engine: str) -> None:
        """End the engines of that name that were started to stay. Raises MissingError if there are none."""
        persistent.stop(engine)
        self.refresh()

    def log(self, engine: str) -> str:
        """The end of a running engine's log; empty if it does not run."""
        running = next((one for one in reversed(self._running) if one.engine == engine), None)
        if running is None or not running.log.exists():
            return ""
        with running.log.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - LOG_BYTES))
            return "\n".join(file.read().decode("utf-8", "replace").splitlines()[-LOG_LINES:])

    def html(self) -> str:
        """A table of engines, and the memory that is left."""
        columns = ("engine", "state", "model", "memory", "address")
        body = markup.table(columns, self._rows(), "What runs, what could, and what the others need")
        log = self.log(self._shown_log)
        if log:
            body += f"<p>log of {escape(self._shown_log)}, its last lines:</p>{markup.preformatted(log, '240px')}"
        return markup.framed(self.title, "measured: now", body, self._memory())

    def text(self) -> str:
        """The same, a line an engine."""
        lines = [": ".join((row[0], ", ".join(filter(None, row[1:])))) for row in self._rows()]
        return "\n".join([f"{self.title} (measured: now)", *lines, self._memory()])

    def build(self) -> Any:
        """The table; which engine, and what to do with it."""
        import ipywidgets

        names = [state.engine for state in self._states]
        ready = [state.engine for state in self._states if state.state != "missing"]
        choice = ipywidgets.Dropdown(options=names, value=(ready or names)[0], description="Engine")
        start = ipywidgets.Button(description="Start", icon="play", button_style="primary")
        stop = ipywidgets.Button(description="Stop", icon="stop")
        log = ipywidgets.ToggleButton(description="Log", icon="file-text-o")
        # A player is a clock of the page: it ticks only while somebody looks.
        clock = ipywidgets.Play(interval=REFRESH_MS, max=10**6, repeat=True, show_repeat=False)
        shown, said = ipywidgets.HTML(self.html()), ipywidgets.HTML()

        def draw(*_: object) -> None:
            self._shown_log = choice.value if log.value else ""
            shown.value = self.html()

        def look(*_: object) -> None:
            self.refresh()
            draw()

        def told(words: str, elapsed_s: float) -> None:
            said.value = escape(f"{choice.value}: {words}, {elapsed_s:.0f} s")

        def do(action: Callable[[str], None], done: str) -> None:
            def work() -> None:
                try:
                    action(choice.value)
                except CourseError as error:
                    said.value = markup.failure(error)
                else:
                    said.value = escape(f"{choice.value} {done}")
                finally:
                    look()
                    start.disabled = stop.disabled = choice.disabled = False

            start.disabled = stop.disabled = choice.disabled = True
            # In a thread: the panel, and the notebook, stay usable while an engine loads for minutes.
            threading.Thread(target=work, name="course-engine-panel", daemon=True).start()

        start.on_click(lambda _: do(lambda engine: self.start(engine, told), f"serves {self.model}"))
        stop.on_click(lambda _: do(self.stop, "has ended"))
        choice.observe(draw, "value")
        log.observe(draw, "value")
        clock.observe(look, "value")
        controls = [choice, start, stop, log, ipywidgets.Label("keep looking:"), clock]
        row = ipywidgets.HBox(controls, layout=ipywidgets.Layout(flex_flow="row wrap"))
        return ipywidgets.VBox([row, said, shown]).add_class("course-engines")

    def _rows(self) -> list[tuple[str, ...]]:
        rows: list[tuple[str, ...]] = []
        for state in self._states:
            mine = [one for one in self._running if one.engine == state.engine]
            for one in mine:
                memory = bytes_text(one.resident_bytes) if one.resident_bytes is not None else "not visible here"
                how = "running, stays" if one.stays else "running, ends with its owner"
                rows.append((state.engine, how, one.model, memory, one.url))
            if not mine:
                needs = f"missing: needs {state.needs}" if state.state == "missing" else state.state
                rows.append((state.engine, needs, "", "", ""))
        return rows

    def _memory(self) -> str:
        memory = host_memory()
        return (
            f"Memory: {bytes_text(memory.available_bytes)} of {bytes_text(memory.total_bytes)} available; an engine "
            f"that would leave less than {bytes_text(memory.kept_bytes)} is not started."
        )


def _resident_bytes(supervisor: int) -> int | None:
    import psutil

    try:
        below = psutil.Process(supervisor).children(recursive=True)
        return sum(process.memory_info().rss for process in below) or None
    except psutil.Error:
        return None
