"""An engine's step trace, as its figures read it: nano's `engine.trace.records`, or the JSON of its server's /trace."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import plotly.graph_objects as go

Step = Mapping[str, Any]
"""The JSON of `helpers.nano.trace.StepRecord`."""


class Recorded(Protocol):
    """A step's record that can be turned into JSON."""

    def to_json(self) -> Mapping[str, Any]:
        """The record."""


Steps = Iterable[Step | Recorded]


def read_steps(trace: Steps) -> list[Step]:
    """The steps as JSON."""
    return [step if isinstance(step, Mapping) else step.to_json() for step in trace]


def number_requests(steps: Sequence[Step]) -> dict[str, int]:
    """Requests in the order in which they first waited or ran."""
    names = (name for step in steps for name in (*(w["request_id"] for w in step["work"]), *step["waiting"]))
    return {name: number for number, name in enumerate(dict.fromkeys(names))}


def describe(figure: go.Figure, text: str) -> None:
    """What the figure shows in words: under its title, and for whoever cannot see it."""
    words = f"{text} (measured: the engine's trace)" if text else "measured: the engine's trace"
    figure.update_layout(
        title={"subtitle": {"text": words, "font": {"size": 12}}, "y": 0.97, "yref": "container", "yanchor": "top"},
        meta={"alt": f"{figure.layout.title.text}. {words}"},
    )
