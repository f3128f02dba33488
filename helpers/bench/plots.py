"""Figures of runs and sweeps: pure functions from data to a plotly figure, units on every axis.

A point is the dictionary of the command contract (`./course bench --json`, "points"): concurrency, distributions
{mean, p50, p90, p99} in seconds, rates in tokens a second. A series is a name and its points. Points that were
marked invalid are drawn hollow. Simulated points (`./course simulate --json`) carry intervals, drawn as bars, on a
dashed line; those that extrapolate are hollow with a dot.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from helpers.bench.knee import knee_index
from helpers.bench.theme import TEMPLATE, EndLabel, add_end_labels, colour, new_figure, symbol
from helpers.client.records import RequestRecord

Point = Mapping[str, Any]
Series = Mapping[str, Sequence[Point]]

MOST_REQUESTS_SHOWN = 40
"""A timeline with more rows than this cannot be read."""


def load_curves(series: Series, title: str = "Throughput and time to first token under load") -> go.Figure:
    """Output tokens a second and TTFT (p50, with p90 as a dotted line) against concurrency, the knee marked."""
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.09)
    figure.update_layout(template=TEMPLATE, title=title, height=560, margin={"l": 64, "r": 24, "t": 48, "b": 48})
    loads = sorted({point["concurrency"] for points in series.values() for point in points})
    rates, latencies, top_labels, bottom_labels = [0.0], [], [], []
    for index, (name, all_points) in enumerate(series.items()):
        points = [p for p in all_points if p["output_tokens_per_s"] is not None and p["ttft_s"]]
        if not points:
            continue
        x = [point["concurrency"] for point in points]
        rate = [point["output_tokens_per_s"] for point in points]
        p50 = [point["ttft_s"]["p50"] * 1000 for point in points]
        p90 = [point["ttft_s"]["p90"] * 1000 for point in points]
        rates += rate + _interval_ends(points, "output_tokens_per_s")
        latencies += p50 + p90 + _interval_ends(points, "ttft_s.p50", 1000)
        curve = _line(name, index, x, rate, points, "%{y:,.0f} tokens/s", interval="output_tokens_per_s")
        figure.add_trace(curve, row=1, col=1)
        latency = _line(name, index, x, p50, points, "p50 %{y:,.1f} ms", interval="ttft_s.p50", scale=1000)
        latency.update(showlegend=False)
        figure.add_trace(latency, row=2, col=1)
        dotted = {"color": colour(index), "width": 1, "dash": "dot"}
        hover = f"{name}, concurrency %{{x}}: p90 %{{y:,.1f}} ms<extra></extra>"
        figure.add_trace(
            go.Scatter(x=x, y=p90, mode="lines", line=dotted, hovertemplate=hover, showlegend=False), row=2, col=1
        )
        top_labels.append(EndLabel(x[-1], rate[-1], name, colour(index)))
        bottom_labels.append(EndLabel(x[-1], p50[-1], name, colour(index)))
        knee = knee_index([_power_figures(point) for point in points])
        if knee is not None and len(points) > 2:
            _mark_knee(figure, points[knee], colour(index))
    top = max(rates) * 1.15 or 1.0
    low, high = (min(latencies) / 1.5, max(latencies) * 1.5) if latencies else (1.0, 10.0)
    figure.update_xaxes(type="log", tickvals=loads, ticktext=[f"{load:g}" for load in loads])
    figure.update_xaxes(title="Requests in flight (concurrency)", row=2, col=1)
    figure.update_yaxes(title="Output tokens/s (ring: knee)", range=[0, top], row=1, col=1)
    figure.update_yaxes(title="TTFT in ms, p50 (dotted: p90)", row=2, col=1, **_log_axis(low, high))
    add_end_labels(figure, top_labels, span=(0, top), plot_height_px=210, log_x=True, row=1)
    add_end_labels(figure, bottom_labels, span=(low, high), plot_height_px=210, log_x=True, log_y=True, row=2)
    return figure


def latency_throughput(series: Series, title: str = "What each user waits for what the server yields") -> go.Figure:
    """TPOT p50 against output tokens a second, one point a concurrency: down and to the right is better."""
    figure = new_figure(title)
    labels, waits = [], []
    for index, (name, all_points) in enumerate(series.items()):
        points = [p for p in all_points if p["output_tokens_per_s"] is not None and p["tpot_s"]]
        if not points:
            continue
        x = [point["output_tokens_per_s"] for point in points]
        y = [point["tpot_s"]["p50"] * 1000 for point in points]
        waits += y + _interval_ends(points, "tpot_s.p50", 1000)
        hover = "%{y:,.2f} ms a token at %{x:,.0f} tokens/s"
        trace = _line(name, index, x, y, points, hover, interval="tpot_s.p50", scale=1000)
        trace.update(mode="lines+markers+text", text=[f"{p['concurrency']:g}" for p in points])
        trace.update(textposition="top center", textfont={"size": 11})
        figure.add_trace(trace)
        labels.append(EndLabel(x[-1], y[-1], name, colour(index)))
    top = max(waits, default=1.0) * 1.2
    figure.update_xaxes(title="Output tokens/s, all streams (numbers at points: concurrency)", rangemode="tozero")
    figure.update_yaxes(title="TPOT p50 in ms", range=[0, top])
    add_end_labels(figure, labels, span=(0, top), plot_height_px=280)
    return figure


def distributions(samples: Mapping[str, Sequence[float]], quantity: str, *, unit_s: bool = True) -> go.Figure:
    """Empirical cumulative distribution of one quantity for each name: the share of samples at or below x.

    Args:
        samples: name -> values, in seconds where `unit_s`, shown in milliseconds; else as they are.
        quantity: what is on the x axis, as "TTFT".
    """
    figure = new_figure(f"Distribution of {quantity}")
    scale, unit = (1000.0, " in ms") if unit_s else (1.0, "")
    for index, (name, values) in enumerate(samples.items()):
        if not values:
            continue
        x = np.sort(np.asarray(values)) * scale
        y = np.arange(1, x.size + 1) / x.size
        hover = f"{name}: %{{y:.0%}} within %{{x:,.2f}}{unit.replace(' in', '')}<extra></extra>"
        line = {"color": colour(index), "width": 2, "shape": "hv"}
        figure.add_trace(go.Scatter(x=x, y=y, mode="lines", name=name, line=line, hovertemplate=hover))
    figure.update_layout(showlegend=True, margin_t=74, title={"yref": "container", "y": 0.97})
    figure.update_xaxes(title=f"{quantity}{unit}", rangemode="tozero")
    figure.update_yaxes(title="Share of samples", range=[0, 1.03], tickformat=".0%")
    return figure


def timeline(
    records: Sequence[RequestRecord], title: str = "Every request, from sending to its last token"
) -> go.Figure:
    """One row a request: waiting for the first token, then decoding, a tick a chunk; the first 40 by sending time."""
    sent = sorted((r for r in records if r.sent_s is not None), key=lambda r: r.sent_s or 0.0)
    shown = sent[:MOST_REQUESTS_SHOWN]
    figure = new_figure(title, height=130 + 13 * max(len(shown), 8))
    start_s = min((r.sent_s or 0.0 for r in shown), default=0.0)
    waits: list[tuple[int, float, float]] = []
    decodes: list[tuple[int, float, float]] = []
    failed: list[tuple[int, float, float]] = []
    ticks: list[tuple[float, int]] = []
    for row, record in enumerate(shown, start=1):
        begin = (record.sent_s or 0.0) - start_s
        end = (record.done_s if record.done_s is not None else record.sent_s or 0.0) - start_s
        if not record.ok:
            failed.append((row, begin, end))
        elif record.chunk_s:
            waits.append((row, begin, record.chunk_s[0] - start_s))
            decodes.append((row, record.chunk_s[0] - start_s, record.chunk_s[-1] - start_s))
            ticks += [(time_s - start_s, row) for time_s in record.chunk_s]
    parts = (("waiting for the first token", waits, colour(1)), ("decoding", decodes, colour(0)))
    for name, bars, ink in (*parts, ("failed", failed, colour(3))):
        if bars:
            rows, begins, ends = zip(*bars, strict=True)
            lengths = [end - begin for begin, end in zip(begins, ends, strict=True)]
            hover = f"request %{{y}}, {name}: %{{x:.3f}} s<extra></extra>"
            look = {"color": ink, "opacity": 0.75}
            figure.add_trace(
                go.Bar(y=rows, x=lengths, base=begins, orientation="h", name=name, marker=look, hovertemplate=hover)
            )
    if ticks:
        mark = {"symbol": "line-ns-open", "size": 6, "color": "rgba(255,255,255,0.8)", "line": {"width": 1}}
        x, y = zip(*ticks, strict=True)
        figure.add_trace(go.Scatter(x=x, y=y, mode="markers", marker=mark, hoverinfo="skip", showlegend=False))
    figure.update_layout(barmode="overlay", bargap=0.2, showlegend=True)
    figure.update_xaxes(title="Seconds since the first request was sent", rangemode="tozero")
    more = f" (first {len(shown)} of {len(sent)})" if len(sent) > len(shown) else ""
    figure.update_yaxes(title=f"Request{more}", autorange="reversed")
    return figure


def length_sweep(series: Series, title: str = "What a longer prompt costs") -> go.Figure:
    """TTFT (prefill) and TPOT (decode) against the prompt's length; points carry `input_tokens`."""
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.09)
    figure.update_layout(template=TEMPLATE, title=title, height=520, margin={"l": 64, "r": 24, "t": 48, "b": 48})
    panels = (("ttft_s", "TTFT p50 in ms (prefill)", 1), ("tpot_s", "TPOT p50 in ms (decode)", 2))
    for key, axis_title, row in panels:
        labels, highest = [], 0.0
        for index, (name, all_points) in enumerate(series.items()):
            points = [point for point in all_points if point[key]]
            if not points:
                continue
            x = [point["input_tokens"] for point in points]
            y = [point[key]["p50"] * 1000 for point in points]
            highest = max(highest, *y, *_interval_ends(points, f"{key}.p50", 1000))
            hover = "%{y:,.2f} ms at %{x:,} prompt tokens"
            trace = _line(name, index, x, y, points, hover, interval=f"{key}.p50", scale=1000)
            trace.update(showlegend=row == 1)
            figure.add_trace(trace, row=row, col=1)
            labels.append(EndLabel(x[-1], y[-1], name, colour(index)))
        top = highest * 1.15 or 1.0
        figure.update_yaxes(title=axis_title, range=[0, top], row=row, col=1)
        add_end_labels(figure, labels, span=(0, top), plot_height_px=190, row=row)
    figure.update_xaxes(title="Prompt tokens", rangemode="tozero", row=2, col=1)
    return figure


def _line(
    name: str,
    index: int,
    x: Sequence[float],
    y: Sequence[float],
    points: Sequence[Point],
    hover: str,
    *,
    interval: str,
    scale: float = 1.0,
) -> go.Scatter:
    """One series; `interval` names the one that simulated points have of y / scale."""
    loads = [point.get("concurrency") for point in points]
    simulated = any(point.get("origin") == "simulated" for point in points)
    trace = go.Scatter(
        x=x,
        y=y,
        name=name,
        mode="lines+markers",
        customdata=loads,
        line={"color": colour(index), "width": 2, "dash": "dash" if simulated else "solid"},
        marker={"color": colour(index), "size": 8, "symbol": [_marker(index, point) for point in points]},
        hovertemplate=f"{name}, concurrency %{{customdata}}: {hover}<extra></extra>",
    )
    known = [point.get("intervals", {}).get(interval) for point in points]
    if any(known):
        ends = [pair or (value / scale, value / scale) for pair, value in zip(known, y, strict=True)]
        trace.error_y = {
            "type": "data",
            "symmetric": False,
            "array": [high * scale - value for (_, high), value in zip(ends, y, strict=True)],
            "arrayminus": [value - low * scale for (low, _), value in zip(ends, y, strict=True)],
            "color": colour(index),
            "thickness": 1,
        }
    return trace


def _interval_ends(points: Sequence[Point], interval: str, scale: float = 1.0) -> list[float]:
    """Lowest and highest values of that interval, which the axis has to hold; none of measured points."""
    return [end * scale for point in points for end in point.get("intervals", {}).get(interval, ())]


def _marker(index: int, point: Point) -> str:
    if not point.get("valid", True):
        return f"{symbol(index)}-open"
    return f"{symbol(index)}-open-dot" if point.get("extrapolates") else symbol(index)


def _power_figures(point: Point) -> tuple[float | None, float | None]:
    """Rate and latency for the knee; an invalid point has neither."""
    if not point.get("valid", True) or not point["e2e_s"]:
        return None, None
    return point["output_tokens_per_s"], point["e2e_s"]["p50"]


def _mark_knee(figure: go.Figure, knee: Point, ink: str) -> None:
    figure.add_trace(
        go.Scatter(
            x=[knee["concurrency"]],
            y=[knee["output_tokens_per_s"]],
            mode="markers",
            showlegend=False,
            marker={"symbol": "circle-open", "size": 17, "color": ink, "line": {"width": 2}},
            hovertemplate="knee: the load of greatest throughput / latency<extra></extra>",
        ),
        row=1,
        col=1,
    )


def _log_axis(low: float, high: float) -> dict[str, Any]:
    """A logarithmic axis whose ticks are 1, 2 and 5 of each decade, written out."""
    decades = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    ticks = [factor * 10.0**decade for decade in decades for factor in (1, 2, 5)]
    ticks = [tick for tick in ticks if low <= tick <= high]
    return {
        "type": "log",
        "range": [float(np.log10(low)), float(np.log10(high))],
        "tickvals": ticks,
        "ticktext": [f"{tick:,g}" for tick in ticks],
    }
