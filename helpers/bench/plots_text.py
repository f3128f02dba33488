"""What a figure shows, in words: for those who cannot see it, and where none is drawn."""

from collections.abc import Sequence
from numbers import Real
from typing import Any

import plotly.graph_objects as go

from helpers.bench.units import digits

MOST_SERIES = 12
"""More than these are counted, not told."""


def describe_figure(figure: go.Figure) -> str:
    """Title, axes, and of each named series how many points it has and from where to where it runs."""
    parts = [_plain(figure.layout.title.text or "Figure") + "."]
    axes = [axis for axis in (*figure.select_xaxes(), *figure.select_yaxes()) if axis.title.text]
    parts += [f"Axis: {_plain(text)}." for text in dict.fromkeys(axis.title.text for axis in axes)]
    series = [trace for trace in figure.data if trace.name and trace.x is not None and len(trace.x)]
    parts += [_series(trace) for trace in series[:MOST_SERIES]]
    if len(series) > MOST_SERIES:
        parts.append(f"And {len(series) - MOST_SERIES} series more.")
    return " ".join(parts)


def _series(trace: Any) -> str:
    if len(trace.x) == 1:
        return f"{trace.name}: {_value(trace.x[0])}, {_value(trace.y[0])}."
    first, last = (f"({_value(trace.x[end])}, {_value(trace.y[end])})" for end in (0, -1))
    return f"{trace.name}: {len(trace.x)} points from {first} to {last}{_highest(trace.y)}."


def _highest(values: Sequence[Any]) -> str:
    numbers = [float(value) for value in values if isinstance(value, Real)]
    return f", at most {digits(max(numbers))}" if numbers else ""


def _value(value: Any) -> str:
    return digits(float(value)) if isinstance(value, Real) else str(value)


def _plain(text: str) -> str:
    return str(text).replace("<br>", " ")
