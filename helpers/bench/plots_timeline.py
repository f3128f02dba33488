"""Who ran when: a figure of an engine's step trace."""

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from helpers.bench.plots import MOST_REQUESTS_SHOWN
from helpers.bench.theme import GRID, INK, colour, new_figure
from helpers.bench.trace import Step, Steps, describe, number_requests, read_steps


@dataclass(frozen=True, slots=True)
class Kind:
    """What a request does during a step, and how that looks."""

    name: str
    ink: str
    pattern: str = ""


WAITING = Kind("waiting", GRID)
PREFILL = Kind("prefill", colour(1))
DECODE = Kind("decode", colour(0))
VERIFY = Kind("decode with proposals", colour(2))
PREEMPTED = Kind("preempted, waiting again", colour(3), "/")
PADDING = Kind("finished, slot still taken", INK, "x")
KINDS = (PREFILL, DECODE, VERIFY, PREEMPTED, PADDING, WAITING)


@dataclass(slots=True)
class Bar:
    """A request doing one thing for some steps in a row."""

    request: str
    kind: Kind
    first: int
    last: int
    tokens: int = 0


def plot_timeline(
    trace: Steps, title: str = "What each request did, step by step", *, slots: bool = False, seconds: bool = False
) -> go.Figure:
    """One row a request (or a slot of the batch), the steps from left to right.

    Args:
        trace: the steps' records, in order.
        title: of the figure.
        slots: rows are the batch's places instead; a request takes the lowest free one, and is named by its number.
        seconds: the axis is time, so that a longer step is wider.
    """
    steps = read_steps(trace)
    order = number_requests(steps)
    bars = read_bars(steps, waits=not slots)
    rows = _slots(bars) if slots else {id(bar): order[bar.request] for bar in bars}
    shown = [bar for bar in bars if rows[id(bar)] < MOST_REQUESTS_SHOWN]
    height = max((rows[id(bar)] for bar in shown), default=0) + 1
    edges = _edges(steps, seconds)
    figure = new_figure(title, height=150 + 17 * max(height, 6))
    for kind in KINDS:
        of_kind = [bar for bar in shown if bar.kind is kind]
        if not of_kind:
            continue
        figure.add_trace(
            go.Bar(
                y=[rows[id(bar)] + 1 for bar in of_kind],
                base=[edges[bar.first] for bar in of_kind],
                x=[edges[bar.last + 1] - edges[bar.first] for bar in of_kind],
                orientation="h",
                name=kind.name,
                marker={"color": kind.ink, "pattern": {"shape": kind.pattern, "size": 5, "solidity": 0.3}},
                text=[str(order[bar.request] + 1) if slots else "" for bar in of_kind],
                textposition="inside",
                insidetextanchor="start",
                textangle=0,
                textfont={"color": "white", "size": 10},
                customdata=[[bar.request, _span(steps, bar), bar.tokens] for bar in of_kind],
                hovertemplate=f"%{{customdata[0]}}, %{{customdata[1]}}: {kind.name}, %{{customdata[2]:,}} tokens"
                "<extra></extra>",
            )
        )
    figure.update_layout(barmode="overlay", bargap=0.12, showlegend=True, margin_t=92, legend_traceorder="normal")
    more = f" (first {height} of {len(order)})" if not slots and len(order) > height else ""
    figure.update_yaxes(
        title="Slot" if slots else f"Request{more}",
        range=[height + 0.6, 0.4],
        tickformat="d",
        nticks=min(height, 20) + 1,
    )
    figure.update_xaxes(title="Seconds since the first step" if seconds else "Step", range=[edges[0], edges[-1]])
    tokens = sum(work["tokens"] for step in steps for work in step["work"])
    preempted = sum(len(step["preempted"]) for step in steps)
    numbers = "; numbers in the bars are requests" if slots else ""
    describe(
        figure,
        f"{len(order)} requests, {len(steps)} steps, {tokens:,} tokens computed, {preempted} preemptions{numbers}",
    )
    return figure


def _kind(work: Step) -> Kind:
    if work["padding"]:
        return PADDING
    if work["prefill"]:
        return PREFILL
    return VERIFY if work["drafted"] else DECODE


def read_bars(steps: Sequence[Step], *, waits: bool) -> list[Bar]:
    """What every request did, steps in a row together; in the order of their beginnings."""
    bars: list[Bar] = []
    last: dict[str, Bar] = {}
    lost: set[str] = set()
    for index, step in enumerate(steps):
        lost.update(step["preempted"])
        doing = [(work["request_id"], _kind(work), work["tokens"]) for work in step["work"]]
        running = {name for name, _, _ in doing}
        lost -= running
        if waits:
            doing += [(name, PREEMPTED if name in lost else WAITING, 0) for name in step["waiting"]]
        for name, kind, tokens in doing:
            bar = last.get(name)
            if bar is None or bar.kind is not kind or bar.last != index - 1:
                bar = last[name] = Bar(name, kind, index, index)
                bars.append(bar)
            bar.last = index
            bar.tokens += tokens
    return bars


def _slots(bars: Sequence[Bar]) -> dict[int, int]:
    """id of a bar -> slot; a request keeps its slot while its bars follow each other."""
    slot_of: dict[str, tuple[int, int]] = {}
    busy_until: list[int] = []
    found = {}
    for bar in sorted(bars, key=lambda bar: bar.first):
        slot, until = slot_of.get(bar.request, (-1, -2))
        if until != bar.first - 1:
            slot = next((n for n, end in enumerate(busy_until) if end < bar.first), len(busy_until))
            if slot == len(busy_until):
                busy_until.append(-1)
        busy_until[slot] = bar.last
        slot_of[bar.request] = (slot, bar.last)
        found[id(bar)] = slot
    return found


def _edges(steps: Sequence[Step], seconds: bool) -> list[float]:
    """Where each step begins on the axis, and where the last one ends."""
    if not steps:
        return [0.0, 1.0]
    if not seconds:
        return [float(step["number"]) - 0.5 for step in steps] + [steps[-1]["number"] + 0.5]
    last = steps[-1]
    end_s = last["started_s"] + last["schedule_s"] + last["forward_s"] + last["sample_s"] + last["draft_s"]
    return [step["started_s"] - steps[0]["started_s"] for step in steps] + [end_s - steps[0]["started_s"]]


def _span(steps: Sequence[Step], bar: Bar) -> str:
    first, last = steps[bar.first]["number"], steps[bar.last]["number"]
    return f"step {first}" if first == last else f"steps {first} to {last}"
