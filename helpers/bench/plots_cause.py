"""Figures of limits, causes and comparisons: roofline, shares of the step time, intervals, acceptance."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from helpers.bench.cause import StepFit, StepPoint
from helpers.bench.statistics import Interval
from helpers.bench.theme import INK, EndLabel, add_end_labels, colour, new_figure, symbol


@dataclass(frozen=True, slots=True)
class RooflinePoint:
    """A measured step in the roofline's plane.

    Attributes:
        flops_per_byte: arithmetic intensity by the model's shape.
        flops_per_s: operations by the model's shape / measured seconds.
    """

    label: str
    flops_per_byte: float
    flops_per_s: float

    @classmethod
    def of(cls, step: StepPoint) -> "RooflinePoint":
        """Where a measured step lies: its work by the model's shape over the time it took."""
        return cls(step.label, step.cost.intensity, step.cost.flops / step.step_s)


def roofline(
    points: Sequence[RooflinePoint],
    *,
    bandwidth_bytes_per_s: float,
    flops_per_s: float,
    machine: str,
    origin: str = "measured",
) -> go.Figure:
    """Measured steps under the two limits of a machine: the sloping one is memory, the level one arithmetic.

    Args:
        origin: of the two limits.
    """
    figure = new_figure(f"Roofline of {machine}", height=420)
    ridge = flops_per_s / bandwidth_bytes_per_s
    intensities = [ridge, *(point.flops_per_byte for point in points)]
    low, high = min(intensities) / 3, max(intensities) * 4
    figure.add_trace(
        go.Scatter(
            x=[low, ridge, high],
            y=[low * bandwidth_bytes_per_s / 1e9, flops_per_s / 1e9, flops_per_s / 1e9],
            mode="lines",
            line={"color": INK, "width": 3},
            hoverinfo="skip",
        )
    )
    for index, point in enumerate(points):
        limit = min(flops_per_s, point.flops_per_byte * bandwidth_bytes_per_s)
        share = point.flops_per_s / limit
        figure.add_trace(
            go.Scatter(
                x=[point.flops_per_byte],
                y=[point.flops_per_s / 1e9],
                mode="markers",
                marker={"size": 11, "color": colour(index), "symbol": symbol(index)},
                hovertemplate=f"{point.label}: %{{y:,.1f}} GFLOP/s, {share:.0%} of its limit<extra></extra>",
            )
        )
    speeds = [point.flops_per_s / 1e9 for point in points] + [flops_per_s / 1e9, low * bandwidth_bytes_per_s / 1e9]
    bottom, top = min(speeds) / 2, max(speeds) * 2
    labels = [
        EndLabel(
            point.flops_per_byte,
            point.flops_per_s / 1e9,
            f"{point.label}: {point.flops_per_s / min(flops_per_s, point.flops_per_byte * bandwidth_bytes_per_s):.0%}",
            colour(index),
        )
        for index, point in enumerate(points)
    ]
    add_end_labels(figure, labels, span=(bottom, top), plot_height_px=320, log_x=True, log_y=True)
    limits = f"{bandwidth_bytes_per_s / 1e9:,.1f} GB/s and {flops_per_s / 1e9:,.0f} GFLOP/s, {origin}"
    figure.add_annotation(
        x=1, y=1.0, xref="paper", yref="paper", xanchor="right", yanchor="bottom", showarrow=False, text=limits
    )
    figure.update_xaxes(title="FLOPs per byte moved", type="log", range=[np.log10(low), np.log10(high)], dtick=1)
    figure.update_yaxes(title="GFLOP/s", type="log", range=[np.log10(bottom), np.log10(top)], dtick=1)
    return figure


def step_shares(fit: StepFit, title: str = "Where the step time goes (fitted)") -> go.Figure:
    """One bar a point, split into fixed cost, bytes and FLOPs; the measured time beside it as a tick."""
    figure = new_figure(title, height=150 + 30 * len(fit.shares))
    rows = [share.label for share in fit.shares]
    terms = (
        ("fixed cost", [s.fixed * s.fitted_s * 1000 for s in fit.shares], [s.fixed for s in fit.shares], 5),
        ("bytes / bandwidth", [s.bytes * s.fitted_s * 1000 for s in fit.shares], [s.bytes for s in fit.shares], 0),
        ("FLOPs / rate", [s.flops * s.fitted_s * 1000 for s in fit.shares], [s.flops for s in fit.shares], 1),
    )
    for name, milliseconds, shares, index in terms:
        figure.add_trace(
            go.Bar(
                y=rows,
                x=milliseconds,
                orientation="h",
                name=name,
                marker={"color": colour(index)},
                text=[f"{share:.0%}" if share >= 0.08 else "" for share in shares],
                textposition="inside",
                insidetextanchor="middle",
                textangle=0,
                textfont={"color": "white", "size": 11},
                hovertemplate=f"%{{y}}, {name}: %{{x:.3f}} ms<extra></extra>",
            )
        )
    figure.add_trace(
        go.Scatter(
            y=rows,
            x=[share.measured_s * 1000 for share in fit.shares],
            mode="markers",
            name="measured",
            marker={"symbol": "line-ns-open", "size": 16, "color": INK, "line": {"width": 3}},
            hovertemplate="%{y}, measured: %{x:.3f} ms<extra></extra>",
        )
    )
    figure.update_layout(barmode="stack", showlegend=True, margin_t=74, title={"yref": "container", "y": 0.98})
    figure.update_xaxes(title="Milliseconds a step", rangemode="tozero")
    figure.update_yaxes(autorange="reversed")
    return figure


def comparison(ratios: Mapping[str, Interval], baseline: str, quantity: str) -> go.Figure:
    """Each candidate's ratio to the baseline with its interval; an interval across the line at 1 shows nothing."""
    figure = new_figure(f"{quantity}: ratio to {baseline}", height=140 + 46 * len(ratios))
    names = list(ratios)
    for index, (name, interval) in enumerate(ratios.items()):
        figure.add_trace(
            go.Scatter(
                x=[interval.estimate],
                y=[name],
                mode="markers+text",
                text=[f"{interval.estimate:.2f}x"],
                textposition="top center",
                textfont={"color": colour(index)},
                marker={"size": 11, "color": colour(index), "symbol": symbol(index)},
                error_x={
                    "array": [interval.high - interval.estimate],
                    "arrayminus": [interval.estimate - interval.low],
                    "color": colour(index),
                    "thickness": 2,
                    "width": 6,
                },
                hovertemplate=f"{name}: {interval.estimate:.3f} [{interval.low:.3f}, {interval.high:.3f}], "
                f"{interval.samples} repeats<extra></extra>",
            )
        )
    ends = [1.0, *(end for interval in ratios.values() for end in (interval.low, interval.high))]
    room = max(max(ends) - min(ends), 0.05) * 0.15
    figure.add_vline(x=1.0, line={"color": INK, "width": 1, "dash": "dash"})
    confidence = next(iter(ratios.values())).confidence if ratios else 0.95
    axis = f"times {baseline} (1 = no difference; bars: {confidence:.0%} interval)"
    figure.update_xaxes(title=axis, range=[min(ends) - room, max(ends) + room])
    figure.update_yaxes(categoryorder="array", categoryarray=names[::-1], range=[-0.6, len(names) - 0.4])
    return figure


def acceptance(by_class: Mapping[str, tuple[float, float]]) -> go.Figure:
    """Acceptance length of each prompt class, its acceptance rate written beside it.

    Args:
        by_class: class -> (tokens emitted per target forward pass, share of draft tokens kept).
    """
    figure = new_figure("What speculation gains depends on the text", height=140 + 46 * len(by_class))
    lengths = [length for length, _ in by_class.values()]
    figure.add_trace(
        go.Bar(
            y=list(by_class),
            x=lengths,
            orientation="h",
            marker={"color": [colour(index) for index in range(len(by_class))]},
            text=[f"{length:.2f} tokens, {rate:.0%} accepted" for length, rate in by_class.values()],
            textposition="outside",
            cliponaxis=False,
            hovertemplate="%{y}: %{text}<extra></extra>",
        )
    )
    figure.add_vline(x=1.0, line={"color": INK, "width": 1, "dash": "dash"})
    figure.update_xaxes(
        title="Tokens emitted per target forward pass (1 = no speculation)",
        range=[0, max(lengths, default=1.0) * 1.45],
    )
    figure.update_yaxes(autorange="reversed")
    return figure
