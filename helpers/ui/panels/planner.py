"""The capacity planner: who can be served by what, while sliders move."""

import threading
from typing import Any

from helpers.bench.metrics import Objective
from helpers.bench.theme import colour
from helpers.bench.units import digits, milliseconds
from helpers.errors import CourseError, UsageError
from helpers.models import hub
from helpers.simulate.capacity import COLUMNS, CapacityPlan
from helpers.simulate.marks import extrapolations
from helpers.simulate.planner import plan_capacity
from helpers.simulate.system import make_system
from helpers.ui.panels import markup
from helpers.ui.panels.estimate import Demand, Estimate, estimate
from helpers.ui.panels.panel import Panel

MACHINES = {"gb10": ("gb10", 1), "2x gb10": ("gb10", 2), "h200": ("h200", 1)}
"""As `plan_capacity` names them -> device, and how many share the model."""

SOURCE = "simulated: cost of a step, means, nobody queues"
PLAYED = "simulated: traffic played, nine in ten answers"


class CapacityPlanner(Panel):
    """Users, waits and tokens a second of one Spark, two Sparks and an H200.

    The sliders show an estimate at once (`estimate`); the button plays the traffic (`helpers.plan_capacity`), which
    takes from seconds to minutes, and adds cost and energy.

    Args:
        model: of the catalogue of downloads.
        input_tokens, output_tokens: of a request.
        think_s: between an answer and the next question.
        objective: what has to hold; None: TTFT within 2 s, TPOT within 0.1 s.

    Attributes:
        plan: what was played last; None before.

    Raises:
        UsageError: an unknown model.
    """

    def __init__(
        self,
        model: str = "llama-3.1-8b",
        *,
        input_tokens: int = 512,
        output_tokens: int = 256,
        think_s: float = 10.0,
        objective: Objective | None = None,
    ) -> None:
        super().__init__()
        if model not in hub.models():
            raise UsageError(f"unknown model {model!r}", f"known are {', '.join(hub.models())}")
        self.title = "Capacity planner"
        self.model = model
        self.demand = Demand(input_tokens, output_tokens, think_s)
        self.objective = objective or Objective(ttft_s=2.0, tpot_s=0.1)
        self.plan: CapacityPlan | None = None

    def estimates(self) -> dict[str, tuple[Estimate | None, str]]:
        """Machine -> its estimate, or None and why there is none; and what the figures lean on."""
        found: dict[str, tuple[Estimate | None, str]] = {}
        longest = self.demand.input_tokens + self.demand.output_tokens
        for name, (device, parallel) in MACHINES.items():
            try:
                system = make_system(device, self.model, tensor_parallel=parallel)
                if longest > system.architecture.context_length:
                    raise UsageError(f"{longest:,} tokens are more than the model's context")
                one = estimate(system, self.demand, self.objective)
            except CourseError as error:
                found[name] = None, error.what
            else:
                marks = extrapolations(system, batch=one.at_once, longest=longest, speculating=False)
                found[name] = one, "; ".join((f"stored in {system.quantization}", *marks))
        return found

    def html(self) -> str:
        """The estimate, and below it what was played, if it was for the same question."""
        found = self.estimates()
        body = markup.table(("machine", "users", *_FIGURES), _rows(found), self._question())
        shown = {name: one.users for name, (one, _) in found.items() if one is not None}
        top = max(shown.values(), default=0)
        body += "".join(_bar(name, users, top) for name, users in shown.items() if top)
        if self.plan is not None:
            body += f'<p style="margin:10px 0 2px 0"><strong>Played</strong> ({PLAYED})</p>'
            body += markup.table(COLUMNS, self.plan.rows(), self.plan.title)
            body += markup.preformatted("\n".join(self.plan.notes))
        return markup.framed(self.title, SOURCE, body, self._leaning(found))

    def text(self) -> str:
        """The estimate, a line a machine."""
        found = self.estimates()
        lines = []
        for row in _rows(found):
            said = ", ".join(f"{name} {cell}" for name, cell in zip(("users", *_FIGURES), row[1:], strict=True))
            lines.append(f"{row[0]}: {said}")
        return "\n".join([f"{self.title} ({SOURCE}). {self._question()}", *lines, self._leaning(found)])

    def build(self) -> Any:
        """Model, lengths, thinking, bounds; a button that plays it."""
        import ipywidgets

        style = {"description_width": "130px"}
        layout = ipywidgets.Layout(width="420px")
        common = {"style": style, "layout": layout}
        choice = ipywidgets.Dropdown(options=list(hub.models()), value=self.model, description="Model", **common)
        sizes = [2**power for power in range(5, 16)]
        prompt = ipywidgets.SelectionSlider(
            options=sizes, value=_nearest(sizes, self.demand.input_tokens), description="Prompt, tokens", **common
        )
        answer = ipywidgets.SelectionSlider(
            options=sizes[:-2],
            value=_nearest(sizes[:-2], self.demand.output_tokens),
            description="Answer, tokens",
            **common,
        )
        think = ipywidgets.FloatSlider(self.demand.think_s, min=0, max=120, step=1, description="Thinking, s", **common)
        ttft = ipywidgets.FloatSlider(
            self.objective.ttft_s or 2.0, min=0.1, max=10, step=0.1, description="TTFT at most, s", **common
        )
        tpot = ipywidgets.FloatSlider(
            (self.objective.tpot_s or 0.1) * 1000, min=10, max=300, step=5, description="TPOT at most, ms", **common
        )
        play = ipywidgets.Button(description="Play the traffic", icon="play", button_style="primary")
        said, shown = ipywidgets.HTML(), ipywidgets.HTML(self.html())

        def look(_: object) -> None:
            self.model = choice.value
            self.demand = Demand(prompt.value, answer.value, think.value)
            self.objective = Objective(ttft_s=ttft.value, tpot_s=tpot.value / 1000)
            self.plan = None  # it was for another question
            shown.value = self.html()

        def work() -> None:
            try:
                asked = self.model, self.demand, self.objective
                plan = self.play()
            except CourseError as error:
                said.value = markup.failure(error)
            else:
                said.value = ""
                self.plan = plan if asked == (self.model, self.demand, self.objective) else None
                shown.value = self.html()
            finally:
                play.disabled = False

        def start(_: object) -> None:
            play.disabled, said.value = True, "Playing: it may take minutes; the sliders stay alive."
            threading.Thread(target=work, name="course-planner", daemon=True).start()

        for control in (choice, prompt, answer, think, ttft, tpot):
            control.observe(look, "value")
        play.on_click(start)
        controls = ipywidgets.HBox(
            [choice, prompt, answer, think, ttft, tpot], layout=ipywidgets.Layout(flex_flow="row wrap")
        )
        return ipywidgets.VBox([controls, ipywidgets.HBox([play, said]), shown]).add_class("course-planner")

    def play(self) -> CapacityPlan:
        """`helpers.plan_capacity` for what the sliders say."""
        return plan_capacity(
            self.model,
            self.objective,
            systems=tuple(MACHINES),
            input_tokens=self.demand.input_tokens,
            output_tokens=self.demand.output_tokens,
            think_s=self.demand.think_s,
        )

    def _question(self) -> str:
        demand, bounds = self.demand, self.objective
        return (
            f"{self.model}: {demand.input_tokens:,} tokens in, {demand.output_tokens:,} out, {demand.think_s:g} s to "
            f"think; TTFT within {bounds.ttft_s or 0:g} s, TPOT within {(bounds.tpot_s or 0) * 1000:g} ms"
        )

    def _leaning(self, found: dict[str, tuple[Estimate | None, str]]) -> str:
        return " ".join(f"{name}: {words}." for name, (_, words) in found.items())


_FIGURES = ("at once", "TTFT, s", "TPOT, ms", "output tokens/s", "more are kept out by")


def _rows(found: dict[str, tuple[Estimate | None, str]]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for name, (one, why) in found.items():
        if one is None:
            rows.append((name, "0", "-", "-", "-", "-", why))
        else:
            waits = digits(one.ttft_s), milliseconds(one.tpot_s), digits(one.output_tokens_per_s)
            rows.append((name, f"{one.users:,}", str(one.at_once), *waits, one.bound))
    return rows


def _bar(name: str, users: int, top: int) -> str:
    width = 100 * users / top
    words = f"{name}: {users:,} users"
    return (
        f'<div role="img" aria-label="{words}" style="display:flex;align-items:center;max-width:720px;margin-top:4px">'
        f'<span style="width:80px">{name}</span><span style="flex:1 1 auto"><span style="display:block;height:14px;'
        f'width:{width:.1f}%;background-color:{colour(0)}"></span></span>'
        f'<span style="width:110px;padding-left:8px">{users:,} users</span></div>'
    )


def _nearest(sizes: list[int], wanted: int) -> int:
    return min(sizes, key=lambda size: abs(size - wanted))
