"""A measurement while it runs: how far it is, its figures as they come, and a button that ends it."""

import asyncio
import itertools
import threading
from collections.abc import Sequence
from time import perf_counter
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from helpers.bench.arrivals import Arrivals
from helpers.bench.measuring import Interrupted, Progress
from helpers.bench.metrics import Metrics, summarize
from helpers.bench.run import Run
from helpers.bench.runner import measure
from helpers.bench.target import Served
from helpers.bench.theme import TEMPLATE, colour
from helpers.bench.units import digits, milliseconds
from helpers.bench.workloads import Workload
from helpers.client.records import RequestRecord
from helpers.errors import UsageError
from helpers.ui.panels import markup
from helpers.ui.panels.panel import Panel, emit, is_attended

FIGURE = "application/vnd.plotly.v1+json"
REDRAW_S, REDRAW_SHARE = 0.5, 0.04
"""How often it is drawn, and the share of the time that drawing may take: the measuring client has the same interpreter
lock."""

WINDOW_S, BINS = 2.0, 120
"""Tokens a second are counted over so long, and drawn at so many moments."""

MOST_BARS = 120
ENDED = ("done", "stopped", "failed")


async def measure_live(
    server: Served | str, workload: Workload, arrivals: Arrivals, requests: int, **options: Any
) -> Run:
    """`helpers.measure` with a panel: `run = await helpers.measure_live(server, workload, arrivals, 64)`.

    Args:
        server, workload, arrivals, requests: as for `measure`.
        **options: its other options, but not `progress`.

    Returns:
        The run; one that was stopped has the requests that had ended, and `complete` is false.

    Raises:
        As `measure`. UsageError: `progress` was given.
    """
    if "progress" in options:
        raise UsageError("measure_live shows its progress itself", "progress was given", "helpers.measure(...)")
    return await LiveBenchmark(server, workload, arrivals, requests, options).run()


class LiveBenchmark(Panel):
    """The panel of `measure_live`.

    Attributes:
        progress: the newest; None before the first.
    """

    def __init__(
        self,
        server: Served | str,
        workload: Workload,
        arrivals: Arrivals,
        requests: int,
        options: dict[str, Any],
    ) -> None:
        super().__init__()
        backend = server if isinstance(server, str) else str(getattr(server, "backend", server.url))
        self.title = f"Measuring: {options.get('label') or arrivals.label}"
        self.source = f"measured: {backend}"
        self.progress: Progress | None = None
        self._call = (server, workload, arrivals, requests)
        self._options = options
        self._stopped = threading.Event()
        self._state = "starts"
        self._draw_next_s = 0.0

    async def run(self) -> Run:
        """Show the panel, measure in a thread, and wait; the notebook's other cells and buttons stay alive."""
        attended = is_attended()
        if attended:
            self._ipython_display_()
        work = asyncio.ensure_future(asyncio.to_thread(self._measure))
        try:
            run = await asyncio.shield(work)
            self._state = "stopped" if self._stopped.is_set() else "done"
            self.title = self.title.replace("Measuring", "Measured")
        except asyncio.CancelledError:
            # The cell was interrupted: the thread must have let go of the server before the next cell asks it.
            self._stopped.set()
            await asyncio.gather(work, return_exceptions=True)
            self._state = "stopped"
            raise
        except BaseException:
            self._state = "failed"
            raise
        finally:
            self._refresh()
        if not attended:
            self._ipython_display_()
        # Once, at the end: JupyterLab's plotly draws a figure and does not draw it again.
        if self.progress is not None and any(record.ok for record in self.progress.records):
            figure = draw_run(self.progress.records, self.title, self.source)
            emit({FIGURE: figure.to_plotly_json(), "text/plain": figure.layout.meta["alt"]})
        return run

    def html(self) -> str:
        """The figures so far."""
        body = markup.figures(self._figures())
        if self._state not in ENDED and self.progress is not None:
            body += _moving(self.progress.records)
        return markup.framed(self.title, self.source, body, self._state_words())

    def text(self) -> str:
        """The figures so far, in words."""
        figures = ", ".join(f"{name} {value}" for name, value in self._figures().items())
        return f"{self.title} ({self.source}): {figures}. {self._state_words()}"

    def build(self) -> Any:
        """A bar, the figures, a button."""
        import ipywidgets

        self._bar = ipywidgets.IntProgress(min=0, max=1, layout=ipywidgets.Layout(flex="1 1 auto", width="auto"))
        self._stop = ipywidgets.Button(description="Stop", icon="stop", tooltip="End it and keep what has ended")
        self._stop.on_click(lambda _: self._stopped.set())
        self._shown = ipywidgets.HTML(self.html())
        return ipywidgets.VBox([ipywidgets.HBox([self._bar, self._stop]), self._shown]).add_class("course-live")

    def _measure(self) -> Run:
        try:
            return measure(*self._call, progress=self._tell, **self._options)
        except Interrupted as stopped:
            # It must not leave this thread as what it is: an event loop ends with a KeyboardInterrupt.
            return stopped.runs[0]

    def _tell(self, progress: Progress) -> None:
        """Called in the measuring thread several times a second."""
        if self._stopped.is_set():
            raise KeyboardInterrupt
        self.progress, self._state = progress, progress.phase
        begun_s = perf_counter()
        if begun_s >= self._draw_next_s:
            self._refresh()
            took_s = perf_counter() - begun_s
            self._draw_next_s = begun_s + max(REDRAW_S, took_s / REDRAW_SHARE)

    def _refresh(self) -> None:
        if self._widget is None:
            return
        progress = self.progress
        if progress is not None:
            self._bar.max, self._bar.value = progress.total, progress.done
        self._shown.value = self.html()
        self._stop.disabled = self._state in ENDED or self._stopped.is_set()

    def _figures(self) -> dict[str, str]:
        progress = self.progress
        if progress is None:
            return {"requests": "none yet"}
        metrics: Metrics = summarize(progress.records)
        ttft, tpot = metrics.ttft_s, metrics.tpot_s
        return {
            "requests ended": f"{progress.done} of {progress.total}",
            "errors": str(progress.errors),
            "elapsed": f"{progress.elapsed_s:.1f} s",
            "TTFT p50 / p90": f"{milliseconds(ttft.p50)} / {milliseconds(ttft.p90)} ms" if ttft else "not yet",
            "TPOT p50": f"{milliseconds(tpot.p50)} ms" if tpot else "not yet",
            "output": f"{digits(metrics.output_tokens_per_s)} tokens/s" if metrics.output_tokens_per_s else "not yet",
        }

    def _state_words(self) -> str:
        known = {"starts": "It starts.", "done": "Done.", "stopped": "Stopped; what had ended is kept."}
        known["failed"] = "Failed; the error stands below."
        return known.get(self._state, f"Now: {self._state}.")


def _moving(records: Sequence[RequestRecord]) -> str:
    told = [record for record in records if record.ok and record.ttft_s is not None]
    if not told:
        return ""
    newest = [(record.ttft_s or 0.0) * 1000 for record in told[-MOST_BARS:]]
    _, rates = token_rates(told)
    return markup.bars("TTFT of the newest requests", newest, "ms", colour(0)) + markup.bars(
        f"Output over the time so far, each bar a mean over {WINDOW_S:g} s", rates or [0.0], "tokens/s", colour(1)
    )


def draw_run(records: Sequence[RequestRecord], title: str, source: str) -> go.Figure:
    """TTFT of each request by when it was sent, and output tokens a second."""
    told = [record for record in records if record.ok and record.ttft_s is not None]
    sent_s = [record.sent_s or 0.0 for record in told]
    ttft_ms = [(record.ttft_s or 0.0) * 1000 for record in told]
    zero_s = min(sent_s, default=0.0)
    times_s, rates = token_rates(told)
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.1)
    shown, marker = "sent at %{x:.2f} s: TTFT %{y:.1f} ms<extra></extra>", {"color": colour(0), "size": 6}
    x = [at_s - zero_s for at_s in sent_s]
    figure.add_scatter(x=x, y=ttft_ms, mode="markers", marker=marker, hovertemplate=shown, row=1, col=1)
    shown, line = "%{x:.1f} s: %{y:,.0f} tokens/s<extra></extra>", {"color": colour(1), "width": 2}
    figure.add_scatter(x=times_s, y=rates, mode="lines", line=line, hovertemplate=shown, row=2, col=1)
    words = f"{title} ({source}): no request ended well."
    if told:
        words = (
            f"{title} ({source}): TTFT of {len(told)} requests between {digits(min(ttft_ms))} and "
            f"{digits(max(ttft_ms))} ms; at most {digits(max(rates, default=0.0))} output tokens/s."
        )
    figure.update_layout(
        template=TEMPLATE,
        title={"text": title, "subtitle": {"text": source, "font": {"size": 12}}},
        height=380,
        margin={"l": 64, "r": 24, "t": 72, "b": 48},
        showlegend=False,
        meta={"alt": words},
    )
    figure.update_yaxes(title="TTFT in ms", rangemode="tozero", row=1, col=1)
    figure.update_yaxes(title="Output tokens/s", rangemode="tozero", row=2, col=1)
    figure.update_xaxes(title=f"Seconds since the first request (rate over {WINDOW_S:g} s)", row=2, col=1)
    return figure


def token_rates(records: Sequence[RequestRecord]) -> tuple[list[float], list[float]]:
    """Seconds since the first request was sent, and output tokens a second over the `WINDOW_S` before each.

    A chunk counts as its request's mean tokens a chunk.
    """
    zero_s = min((record.sent_s for record in records if record.sent_s is not None), default=0.0)
    end_s = max((record.chunk_s[-1] for record in records if record.chunk_s), default=zero_s) - zero_s
    if end_s <= 0:
        return [], []
    bin_s = end_s / BINS
    tokens = [0.0] * BINS
    for record in records:
        each = (record.usage.output_tokens or len(record.chunk_s)) / max(1, len(record.chunk_s))
        for time_s in record.chunk_s:
            tokens[min(BINS - 1, int((time_s - zero_s) / bin_s))] += each
    sums = [0.0, *itertools.accumulate(tokens)]
    width = max(1, min(BINS, round(WINDOW_S / bin_s)))
    times_s = [bin_s * number for number in range(1, BINS + 1)]
    rates = [
        (sums[number] - sums[max(0, number - width)]) / (bin_s * min(width, number)) for number in range(1, BINS + 1)
    ]
    return times_s, rates
