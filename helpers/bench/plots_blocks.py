"""Whose each block of the KV cache is, and what is wasted: figures of an engine's step trace."""

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from helpers.bench.theme import GRID, INK, TEMPLATE, EndLabel, add_end_labels, colour, new_figure
from helpers.bench.trace import Step, Steps, describe, number_requests, read_steps
from helpers.errors import UsageError

COLUMNS = 32
"""Blocks in a row of the block map."""

MOST_ROWS = 40
MOST_NAMED = 8
"""Entries of the block map's legend that fit beside each other."""

CELL_PX = 19
SHARED_INK = "#4b4f57"
PARTLY_FILLED = 0.45
"""Opacity of a block that still has room."""


def plot_blocks(trace: Steps, step: int | None = None, title: str = "") -> go.Figure:
    """The KV cache's blocks while a step ran: whose each is, which are shared, which are free, and which are kept.

    Args:
        trace: the steps' records from the first on, in order: what is kept is known from what was owned before.
        step: its number; None for the one that used the most blocks.
        title: of the figure.

    Raises:
        UsageError: the trace has no such step.
    """
    steps = read_steps(trace)
    at = _find(steps, step)
    record = steps[at]
    order = number_requests(steps)
    owners = find_owners(record)
    kept = kept_blocks(steps[: at + 1])
    touched = max(
        [*owners, *kept, *(block for s in steps for work in s["work"] for block in work["blocks"])], default=0
    )
    count = min(record["blocks"], -(-(touched + 1) // COLUMNS) * COLUMNS, MOST_ROWS * COLUMNS)
    figure = new_figure(
        title or f"The KV cache in step {record['number']}", height=150 + CELL_PX * max(3, -(-count // COLUMNS))
    )
    free = [block for block in range(count) if block not in owners and block not in kept]
    _add_blocks(figure, "free", free, {"color": "rgba(0,0,0,0)", "line": {"color": GRID, "width": 1}}, "free")
    look = {"color": GRID, "line": {"color": INK, "width": 1}}
    _add_blocks(figure, "kept for a later prompt", sorted(kept), look, "nobody's, content kept")
    full = filled_blocks(record)
    for request in dict.fromkeys(work["request_id"] for work in record["work"]):
        mine = [block for block, names in owners.items() if names == [request] and block < count]
        number = order[request] + 1
        ink = {"color": colour(order[request]), "opacity": [1.0 if b in full else PARTLY_FILLED for b in mine]}
        _add_blocks(figure, f"request {number}", mine, ink, f"request {number} ({request})", text=str(number))
    shared = {block: names for block, names in owners.items() if len(names) > 1 and block < count}
    look = {"color": SHARED_INK, "line": {"color": INK, "width": 1}}
    for users in sorted({len(names) for names in shared.values()}):
        these = [block for block, names in shared.items() if len(names) == users]
        _add_blocks(figure, f"shared by {users}", these, look, f"shared by {users} requests", text=f"×{users}")
    rows = -(-count // COLUMNS)
    if len(figure.data) > MOST_NAMED:
        # The numbers in the blocks say it too; a longer legend would cover the words above it.
        figure.for_each_trace(lambda part: part.update(showlegend=not (part.name or "").startswith("request ")))
    figure.update_layout(showlegend=True, margin_t=92, legend={"itemsizing": "constant", "font": {"size": 11}})
    figure.update_xaxes(
        title=f"Place in the row; a row is {COLUMNS} of {record['blocks']:,} blocks",
        range=[-0.6, COLUMNS - 0.4],
        showgrid=False,
        zeroline=False,
    )
    figure.update_yaxes(
        title="Block",
        range=[rows - 0.4, -0.6],
        tickvals=list(range(rows)),
        ticktext=[f"{row * COLUMNS:,}" for row in range(rows)],
        showgrid=False,
        zeroline=False,
    )
    describe(
        figure,
        f"{record['used_blocks']} blocks of {record['block_size']} tokens in use, {len(shared)} of them shared, "
        f"{record['cached_blocks']} kept, {record['blocks'] - record['used_blocks'] - record['cached_blocks']} free",
    )
    return figure


def plot_waste(traces: Mapping[str, Steps], title: str = "What is reserved or computed for nothing") -> go.Figure:
    """Two shares for each trace, step by step: KV places that hold no token, and batch places that nobody needs."""
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.09)
    figure.update_layout(template=TEMPLATE, title=title, height=480, margin={"l": 64, "r": 24, "t": 64, "b": 48})
    parts = []
    labels: dict[int, list[EndLabel]] = {1: [], 2: []}
    for index, (name, trace) in enumerate(traces.items()):
        steps = [step for step in read_steps(trace) if step["used_blocks"]]
        reserved = [step["used_blocks"] * step["block_size"] for step in steps]
        empty = [places - step["filled_tokens"] for places, step in zip(reserved, steps, strict=True)]
        padding = [step["padding_tokens"] for step in steps]
        # Of a finished request the padding is computed, so that it counts among the tokens already.
        useful = [sum(work["tokens"] for work in step["work"] if not work["padding"]) for step in steps]
        panels = (
            (1, [part / whole for part, whole in zip(empty, reserved, strict=True)], "of the reserved KV places empty"),
            (2, [p / (p + u) if p + u else 0.0 for p, u in zip(padding, useful, strict=True)], "of the batch padding"),
        )
        x = [step["number"] - steps[0]["number"] for step in steps]
        for row, shares, words in panels:
            figure.add_trace(
                go.Scatter(
                    x=x,
                    y=shares,
                    mode="lines",
                    name=name,
                    line={"color": colour(index), "width": 2, "shape": "hv"},
                    hovertemplate=f"{name}, step %{{x}}: %{{y:.1%}} {words}<extra></extra>",
                ),
                row=row,
                col=1,
            )
            labels[row] += [EndLabel(x[-1], shares[-1], name, colour(index))] if x else []
        if steps:
            parts.append(
                f"{name}: {sum(empty) / sum(reserved):.1%} of KV places, "
                f"{sum(padding) / max(1, sum(padding) + sum(useful)):.1%} of the batch"
            )
    for row, ends in labels.items():
        add_end_labels(figure, ends, span=(0, 1), plot_height_px=170, row=row)
    figure.update_yaxes(title="Empty KV places", range=[0, 1.03], tickformat=".0%", row=1, col=1)
    figure.update_yaxes(title="Padding in the batch", range=[0, 1.03], tickformat=".0%", row=2, col=1)
    figure.update_xaxes(title="Step", rangemode="tozero", row=2, col=1)
    describe(figure, "; ".join(parts))
    return figure


def _find(steps: Sequence[Step], number: int | None) -> int:
    if not steps:
        raise UsageError("the trace is empty", "the engine has not stepped yet")
    if number is None:
        return max(range(len(steps)), key=lambda index: steps[index]["used_blocks"])
    for index, step in enumerate(steps):
        if step["number"] == number:
            return index
    raise UsageError(f"the trace has no step {number}", f"it has steps {steps[0]['number']} to {steps[-1]['number']}")


def find_owners(step: Step) -> dict[int, list[str]]:
    """Block -> the requests that own it."""
    owners: dict[int, list[str]] = {}
    for work in step["work"]:
        for block in work["blocks"]:
            owners.setdefault(block, []).append(work["request_id"])
    return owners


def filled_blocks(step: Step) -> set[int]:
    """Blocks without room for another token once the step has run."""
    return {
        block
        for work in step["work"]
        for block in work["blocks"][: (work["start"] + work["tokens"]) // step["block_size"]]
    }


def kept_blocks(steps: Sequence[Step]) -> set[int]:
    """Blocks that nobody owns in the last step and whose content is kept.

    The engine records how many; they are the full blocks given back last, since the oldest are overwritten first.
    """
    filled: dict[int, None] = {}
    for step in steps:
        full, owned = filled_blocks(step), find_owners(step)
        for block in owned:
            filled.pop(block, None)
        filled.update(dict.fromkeys(block for block in owned if block in full))
    idle = [block for block in filled if block not in find_owners(steps[-1])]
    count = steps[-1]["cached_blocks"]
    return set(idle[-count:]) if count else set()


def _add_blocks(
    figure: go.Figure, name: str, blocks: Sequence[int], look: Mapping[str, Any], words: str, text: str = ""
) -> None:
    if not blocks:
        return
    figure.add_trace(
        go.Scatter(
            x=[block % COLUMNS for block in blocks],
            y=[block // COLUMNS for block in blocks],
            mode="markers+text" if text else "markers",
            name=name,
            marker={"symbol": "square", "size": 15, **look},
            text=[text] * len(blocks),
            textfont={"size": 9, "color": "white"},
            customdata=list(blocks),
            hovertemplate=f"block %{{customdata}}: {words}<extra></extra>",
        )
    )
