"""The same question to several engines, answers beside each other as they stream."""

import asyncio
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from time import perf_counter
from typing import Any

from helpers.bench.units import digits, milliseconds
from helpers.client import background
from helpers.client.records import RequestRecord
from helpers.engines.server import Server
from helpers.errors import CourseError, UsageError
from helpers.ui.panels import markup
from helpers.ui.panels.panel import Panel

REDRAW_S = 0.05
"""A page shows no more than that many changes; drawing every token would slow the others down."""


@dataclass(slots=True)
class Side:
    """One engine's answer.

    Attributes:
        record: of the request; None before one was sent.
        error: why there is no answer.
        stopped: by the reader.
    """

    name: str
    server: Server
    words: str = ""
    record: RequestRecord | None = None
    error: CourseError | None = None
    stopped: bool = False

    @property
    def source(self) -> str:
        """What answers."""
        return f"{self.server.backend}, {self.server.model} {self.server.precision}"

    @property
    def figures(self) -> dict[str, str]:
        """TTFT, tokens and rate; what is not known yet is left out."""
        record = self.record
        if record is None or record.ttft_s is None:
            return {}
        known = {"TTFT": f"{milliseconds(record.ttft_s)} ms"}
        if record.usage.output_tokens is not None:
            known["tokens"] = str(record.usage.output_tokens)
        if record.tpot_s:
            known["rate"] = f"{digits(1 / record.tpot_s)} tokens/s"
        return known


class SideBySide(Panel):
    """A chat with several servers at once.

    Args:
        servers: from `launch` or `attach`, by the name that is shown.
        prompt: asked at once, so that there is something to see where nobody can type; empty to wait for the reader.
        **options: of the requests, such as max_tokens and temperature.

    Attributes:
        sides: the answers, in the order of the servers.

    Raises:
        UsageError: fewer than two servers.
    """

    def __init__(self, servers: Mapping[str, Server], prompt: str = "", **options: Any) -> None:
        super().__init__()
        if len(servers) < 2:
            raise UsageError("side by side there are at least two servers", "", "server.chat(...) asks one")
        self.title = "Side by side: " + " and ".join(servers)
        self.prompt = prompt
        self.sides = tuple(Side(name, server) for name, server in servers.items())
        self._options = {"max_tokens": 128, "temperature": 0, **options}
        self._panes: list[Any] = []
        self._stop = threading.Event()
        if prompt:
            self.ask(prompt)

    def ask(self, prompt: str) -> None:
        """Ask all, and wait until all have answered. Failures are shown in their place."""
        background.run(self._ask(prompt))

    def html(self) -> str:
        """The answers beside each other."""
        width = 100 // len(self.sides)
        style = f"width:{width}%;vertical-align:top;text-align:left;padding:0 12px 0 0;border:0;white-space:normal"
        cells = "".join(f'<td style="{style}">{_pane(side)}</td>' for side in self.sides)
        asked = f'<p style="margin:0 0 4px 0"><em>{escape(self.prompt)}</em></p>' if self.prompt else ""
        body = f'{asked}<table style="width:100%;border:0;table-layout:fixed"><tbody><tr>{cells}</tr></tbody></table>'
        return markup.framed(self.title, "measured", body, self._verdict())

    def text(self) -> str:
        """Question and answers."""
        parts = [f"{self.title} (measured). Asked: {self.prompt or 'nothing yet'}"]
        for side in self.sides:
            figures = ", ".join(f"{name} {value}" for name, value in side.figures.items())
            parts.append(f"{side.name} ({side.source}): {figures}\n{side.error or side.words}")
        return "\n".join([*parts, self._verdict()]).rstrip()

    def build(self) -> Any:
        """A line to type in, two buttons, and a pane for each."""
        import ipywidgets

        wide = ipywidgets.Layout(flex="1 1 auto", width="auto")
        prompt = ipywidgets.Text(self.prompt, placeholder="Ask all of them", description="Question", layout=wide)
        ask = ipywidgets.Button(description="Ask", icon="play", button_style="primary")
        stop = ipywidgets.Button(description="Stop", icon="stop", disabled=True)
        pane_layout = ipywidgets.Layout(flex="1 1 0", min_width="260px", margin="0 12px 0 0")
        self._panes = [ipywidgets.HTML(_pane(side), layout=pane_layout) for side in self.sides]
        verdict = ipywidgets.HTML(escape(self._verdict()))

        async def answer() -> None:
            try:
                await self._ask(prompt.value)
            finally:
                ask.disabled, stop.disabled = False, True
                verdict.value = escape(self._verdict())

        def start(_: object) -> None:
            if prompt.value.strip() and not ask.disabled:
                ask.disabled, stop.disabled, verdict.value = True, False, ""
                background.start(answer())

        ask.on_click(start)
        prompt.on_msg(lambda _, content, __: start(None) if content.get("event") == "submit" else None)
        stop.on_click(lambda _: self._stop.set())
        title = ipywidgets.HTML(f"<strong>{escape(self.title)}</strong>")
        panes = ipywidgets.HBox(self._panes, layout=ipywidgets.Layout(flex_flow="row wrap"))
        rows = [title, ipywidgets.HBox([prompt, ask, stop]), panes, verdict]
        return ipywidgets.VBox(rows).add_class("course-chat")

    async def _ask(self, prompt: str) -> None:
        self.prompt = prompt
        self._stop.clear()
        await asyncio.gather(*(self._answer(side, index) for index, side in enumerate(self.sides)))

    async def _answer(self, side: Side, index: int) -> None:
        side.words, side.record, side.error, side.stopped = "", None, None, False
        # Not the server's own stream: the record is needed, for TTFT and rate.
        stream = side.server.client.stream(self.prompt, **self._options)
        side.record = stream.record
        drawn_s = 0.0
        pieces = aiter(stream)
        try:
            side.server.require_running()
            async for words in pieces:
                side.words += words
                if self._stop.is_set():
                    side.stopped = True
                    break
                if perf_counter() - drawn_s >= REDRAW_S:
                    drawn_s = perf_counter()
                    self._draw(side, index)
        except CourseError as error:
            side.error = error
        finally:
            # Leaving the stream early has to reach the server now, not when the garbage is collected.
            await pieces.aclose()
        self._draw(side, index)

    def _draw(self, side: Side, index: int) -> None:
        if self._panes:
            self._panes[index].value = _pane(side)

    def _verdict(self) -> str:
        answered = [side for side in self.sides if side.record is not None and not side.error and not side.stopped]
        if len(answered) < 2:
            return ""
        same = len({side.words for side in answered}) == 1
        return "The same words from all of them." if same else "Their words differ."


def _pane(side: Side) -> str:
    answer = markup.failure(side.error) if side.error else markup.preformatted(side.words)
    said = markup.figures(side.figures) if side.figures else ""
    stopped = "<p>stopped</p>" if side.stopped else ""
    return (
        f'<p style="margin:0"><strong>{escape(side.name)}</strong><br>{escape(side.source)}</p>{answer}{stopped}{said}'
    )
