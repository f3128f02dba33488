"""One look for every figure: readable on light and dark ground, safe for colour-blind readers, labels on the lines.

The ground is transparent and the ink a middle grey, because a figure in a notebook cannot know the page's colour; an
HTML report sets the ink to that of the page.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

COLOURS = ("#1F83C7", "#EE7733", "#009988", "#DC4A2B", "#B85AA8", "#33BBEE", "#8A8A33", "#EE3377")
"""Paul Tol's vibrant scheme with two colours of his muted one, the dark ones lightened until they read on black as
well as on white; distinct with any colour vision."""

SYMBOLS = ("circle", "square", "diamond", "triangle-up", "x", "cross", "star", "hexagon")
INK = "#7b7f85"
"""Contrast about 4:1 against white and against JupyterLab's dark ground alike."""

GRID = "rgba(128, 132, 140, 0.22)"
LINE_HEIGHT_PX = 15
LABEL_LENGTH = 34
END_LABEL = "end-label"
"""Name of these annotations: on a narrow screen a page replaces them by a legend."""

TEMPLATE = go.layout.Template(
    layout={
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "colorway": list(COLOURS),
        "font": {"family": "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif", "size": 13, "color": INK},
        "title": {"x": 0, "xanchor": "left", "xref": "paper", "font": {"size": 15}},
        "margin": {"l": 64, "r": 24, "t": 48, "b": 48},
        "xaxis": {"gridcolor": GRID, "zerolinecolor": GRID, "linecolor": GRID, "ticks": "", "automargin": True},
        "yaxis": {"gridcolor": GRID, "zerolinecolor": GRID, "linecolor": GRID, "ticks": "", "automargin": True},
        "hoverlabel": {"namelength": -1},
        "legend": {"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 1.0, "xanchor": "right"},
        "showlegend": False,
        "bargap": 0.35,
    }
)


@dataclass(frozen=True, slots=True)
class EndLabel:
    """A label that stands to the right of a line's last point, in the line's colour."""

    x: float
    y: float
    text: str
    colour: str


def new_figure(title: str, *, height: int = 380) -> go.Figure:
    """An empty figure in the course's look; the width follows the page."""
    return go.Figure(layout={"template": TEMPLATE, "title": {"text": title}, "height": height})


def colour(index: int) -> str:
    """The colour of the series of this index."""
    return COLOURS[index % len(COLOURS)]


def symbol(index: int) -> str:
    """The marker of the series of this index: series differ in shape, too."""
    return SYMBOLS[index % len(SYMBOLS)]


def shorten(text: str) -> str:
    """A label that fits the margin; the full name stays in the hover text and in tables."""
    return text if len(text) <= LABEL_LENGTH else text[: LABEL_LENGTH - 1] + "…"


def add_end_labels(
    figure: go.Figure,
    labels: Sequence[EndLabel],
    *,
    span: tuple[float, float],
    plot_height_px: float,
    log_x: bool = False,
    log_y: bool = False,
    row: int | None = None,
) -> None:
    """Write the labels beside the lines' ends and move apart those that would overlap.

    Args:
        span: lowest and highest y of the axis, in data units.
        plot_height_px: height of that axis on the page.
        row: subplot row, where the figure has several.
    """
    if not labels:
        return

    def pixels(value: float) -> float:
        low, high, here = (math.log10(v) if log_y else v for v in (*span, value))
        return plot_height_px * (here - low) / (high - low) if high > low else 0.0

    ordered = sorted(labels, key=lambda label: label.y)
    places: list[float] = []
    for label in ordered:
        wanted = pixels(label.y)
        places.append(max(wanted, places[-1] + LINE_HEIGHT_PX) if places else wanted)
    # Half of what was added comes off again, so that a bundle of labels is centred on its lines.
    drift = sum(place - pixels(label.y) for place, label in zip(places, ordered, strict=True)) / len(places)
    for place, label in zip(places, ordered, strict=True):
        figure.add_annotation(
            x=math.log10(label.x) if log_x else label.x,
            y=math.log10(label.y) if log_y else label.y,
            text=shorten(label.text),
            name=END_LABEL,
            font={"color": label.colour},
            showarrow=False,
            xanchor="left",
            xshift=9,
            yshift=place - drift - pixels(label.y),
            **({"row": row, "col": 1} if row else {}),
        )
    longest = max(len(shorten(label.text)) for label in labels)
    figure.update_layout(margin_r=max(24, 20 + 7 * longest, figure.layout.margin.r or 0))
