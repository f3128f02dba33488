"""What a scheduler did, step by step: who ran and who waited, and whose each block of the KV cache was."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from helpers.bench.plots_blocks import COLUMNS, filled_blocks, find_owners, kept_blocks
from helpers.bench.plots_timeline import DECODE, PADDING, PREEMPTED, PREFILL, VERIFY, WAITING, Bar, Kind, read_bars
from helpers.bench.theme import colour
from helpers.bench.trace import Steps, number_requests, read_steps
from helpers.errors import UsageError
from helpers.ui.panels import markup
from helpers.ui.panels.panel import Panel

SHOWN_STEPS = 48
MOST_ROWS = 16
MOST_BLOCKS = 16 * COLUMNS
PLAY_MS = 400
"""Between two steps while it plays: time to look at each."""

SHARED = "#4b4f57"
SIGNS = {PREFILL: "P", DECODE: "", VERIFY: "+", PREEMPTED: "!", PADDING: "x", WAITING: "·"}
"""What a bar says besides its colour; a prefill also says how many tokens, where there is room."""

CAPTION = "text-align:left;white-space:nowrap"
TABLE = "border-collapse:collapse;border:0"
CELL = f"padding:0;height:17px;text-align:center;font-size:10px;line-height:17px;border:1px solid {markup.LINE}"


class StepExplorer(Panel):
    """A slider over the steps of an engine's trace.

    Args:
        trace: the steps' records in order: nano's `engine.trace.records`, or `helpers.read_trace(server)`.
        title: of the panel.
        source: where the trace comes from.

    Attributes:
        number: the step that is shown; set it to show another.

    Raises:
        UsageError: the trace is empty.
    """

    def __init__(
        self, trace: Steps, title: str = "The scheduler, step by step", source: str = "measured: the engine's trace"
    ) -> None:
        super().__init__()
        self.title, self.source = title, source
        self._steps = read_steps(trace)
        if not self._steps:
            raise UsageError("the trace is empty", "the engine has not stepped yet", "run a request first")
        self._order = number_requests(self._steps)
        self._bars = read_bars(self._steps, waits=True)
        self._at = max(range(len(self._steps)), key=lambda index: self._steps[index]["used_blocks"])

    @property
    def number(self) -> int:
        """The number of the step that is shown."""
        return int(self._steps[self._at]["number"])

    @number.setter
    def number(self, number: int) -> None:
        first, last = self._steps[0]["number"], self._steps[-1]["number"]
        if not first <= number <= last:
            raise UsageError(f"the trace has no step {number}", f"it has steps {first} to {last}")
        self._at = number - first

    def text(self) -> str:
        """The shown step in words."""
        step = self._steps[self._at]
        work = [item for item in step["work"] if not item["padding"]]
        prefill = sum(item["tokens"] for item in work if item["prefill"])
        decode = [item for item in work if not item["prefill"]]
        milliseconds = 1000 * sum(step[part] for part in ("schedule_s", "forward_s", "sample_s", "draft_s"))
        kept_words = f", {step['cached_blocks']} kept for later prompts" if step["cached_blocks"] else ""
        waste = 1 - step["filled_tokens"] / (step["used_blocks"] * step["block_size"]) if step["used_blocks"] else 0.0
        lost = f"; {len(step['preempted'])} preempted" if step["preempted"] else ""
        return (
            f"{self.title}, step {step['number']} of {self._steps[-1]['number']} ({self.source}): {prefill} prompt "
            f"tokens and {len(decode)} requests that decode, {milliseconds:.1f} ms; {len(step['waiting'])} wait{lost}. "
            f"KV cache: {step['used_blocks']} of {step['blocks']} blocks of {step['block_size']} tokens in use, "
            f"{waste:.0%} of their places empty{kept_words}."
        )

    def html(self) -> str:
        """The steps around the shown one, the blocks in it, and both in words."""
        words = self.text().removeprefix(self.title + ", ")
        body = (
            f'<div style="overflow-x:auto">{self._timeline()}</div><p style="margin:3px 0 8px 0">{_legend()}</p>'
            f'<div style="overflow-x:auto">{self._blocks()}</div>'
        )
        return markup.framed(self.title, self.source, body, words[0].upper() + words[1:])

    def build(self) -> Any:
        """A player, a slider, and what they show."""
        import ipywidgets

        bounds = {"min": self._steps[0]["number"], "max": self._steps[-1]["number"], "value": self.number}
        play = ipywidgets.Play(interval=PLAY_MS, **bounds)
        layout = ipywidgets.Layout(flex="1 1 auto", width="auto")
        slider = ipywidgets.IntSlider(description="Step", layout=layout, **bounds)
        ipywidgets.jslink((play, "value"), (slider, "value"))
        shown = ipywidgets.HTML(self.html())

        def move(change: Mapping[str, Any]) -> None:
            self.number = change["new"]
            shown.value = self.html()

        slider.observe(move, "value")
        return ipywidgets.VBox([ipywidgets.HBox([play, slider]), shown]).add_class("course-steps")

    def _timeline(self) -> str:
        first = min(max(0, self._at - SHOWN_STEPS // 2), max(0, len(self._steps) - SHOWN_STEPS))
        last = min(first + SHOWN_STEPS, len(self._steps)) - 1
        seen = [bar for bar in self._bars if bar.last >= first and bar.first <= last]
        busy = dict.fromkeys(bar.request for bar in seen if bar.kind is not WAITING)
        # The shown step's own requests come first into the choice: they are what one looks at.
        now = [item["request_id"] for item in self._steps[self._at]["work"]]
        chosen = sorted(list(dict.fromkeys([*now, *busy]))[:MOST_ROWS], key=self._order.__getitem__)
        rows = [self._row(name, [bar for bar in seen if bar.request == name], first, last) for name in chosen]
        hidden = len({bar.request for bar in seen}) - len(chosen)
        more = f"; not shown: {hidden} that wait, or for which there is no room" if hidden else ""
        marks = [
            f'<td style="padding:0;border:0;min-width:13px;font-size:10px">{self._mark(i)}</td>'
            for i in range(first, last + 1)
        ]
        span = f"{self._steps[first]['number']} to {self._steps[last]['number']}"
        caption = f"Who ran in steps {span}; the frame is step {self.number}{more}"
        return (
            f'<table style="{TABLE}"><caption style="{CAPTION}">{caption}</caption><tbody>'
            f'<tr><th scope="row" style="padding:0 6px 0 0;border:0;font-weight:normal;text-align:right">step</th>'
            f"{''.join(marks)}</tr>{''.join(rows)}</tbody></table>"
        )

    def _mark(self, index: int) -> str:
        number = self._steps[index]["number"]
        if index == self._at:
            return "▼"
        return str(number) if number % 5 == 0 and abs(index - self._at) > 1 else ""

    def _row(self, name: str, bars: Sequence[Bar], first: int, last: int) -> str:
        cells, place = [], first
        for bar in sorted(bars, key=lambda bar: bar.first):
            start, end = max(bar.first, first), min(bar.last, last)
            cells.append(_gap(start - place))
            # A bar is cut where the shown step is, so that this step gets a frame of its own.
            cuts = sorted({start, end + 1, *(cut for cut in (self._at, self._at + 1) if start < cut <= end)})
            for begin, after in pairwise(cuts):
                cells.append(self._cell(bar, begin, after))
            place = end + 1
        cells.append(_gap(last + 1 - place))
        number = self._order[name] + 1
        style = "padding:0 6px 0 0;border:0;font-weight:normal;text-align:right;white-space:nowrap"
        return f'<tr><th scope="row" style="{style}">request {number}</th>{"".join(cells)}</tr>'

    def _cell(self, bar: Bar, begin: int, after: int) -> str:
        tokens = sum(
            item["tokens"]
            for step in self._steps[begin:after]
            for item in step["work"]
            if item["request_id"] == bar.request
        )
        sign = SIGNS[bar.kind]
        if bar.kind is PREFILL and after - begin > 1:
            sign = str(tokens)
        frame = (
            ";outline:2px solid currentColor;outline-offset:-1px" if begin == self._at and after == begin + 1 else ""
        )
        numbers = self._steps[begin]["number"], self._steps[after - 1]["number"]
        span = f"step {numbers[0]}" if after == begin + 1 else f"steps {numbers[0]} to {numbers[1]}"
        said = f"{span}: {bar.kind.name}" + (f", {tokens:,} tokens" if tokens else "")
        look = f"{CELL};{markup.painted(bar.kind.ink)}{frame}"
        return f'<td colspan="{after - begin}" title="{said}" style="{look}">{sign}</td>'

    def _blocks(self) -> str:
        step = self._steps[self._at]
        owners, full = find_owners(step), filled_blocks(step)
        kept = kept_blocks(self._steps[: self._at + 1])
        touched = max([*owners, *kept], default=0) + 1
        count = min(step["blocks"], -(-touched // COLUMNS) * COLUMNS, MOST_BLOCKS)
        rows = []
        for start in range(0, count, COLUMNS):
            cells = [self._block(block, owners, full, kept) for block in range(start, min(start + COLUMNS, count))]
            style = "padding:0 6px 0 0;border:0;font-weight:normal;text-align:right"
            rows.append(f'<tr><th scope="row" style="{style}">{start}</th>{"".join(cells)}</tr>')
        beyond = f"; {step['blocks'] - count} more are free" if step["blocks"] > count else ""
        signs = "a number is the request that owns the block, ×n says shared by n, k kept"
        caption = f"KV cache in step {step['number']}: {signs}{beyond}"
        return (
            f'<table style="{TABLE}"><caption style="{CAPTION}">{caption}</caption>'
            f"<tbody>{''.join(rows)}</tbody></table>"
        )

    def _block(self, block: int, owners: Mapping[int, Sequence[str]], full: set[int], kept: set[int]) -> str:
        names = owners.get(block, ())
        if len(names) > 1:
            look, sign, said = markup.painted(SHARED), f"×{len(names)}", f"shared by {len(names)} requests"
        elif names:
            number = self._order[names[0]] + 1
            room = "" if block in full else ", still has room"
            look, sign, said = markup.painted(colour(number - 1)), str(number), f"request {number}{room}"
            if room:
                look += ";text-decoration:underline dotted"
        elif block in kept:
            look, sign, said = f"background-color:{markup.FAINT}", "k", "kept for a later prompt"
        else:
            return f'<td style="{CELL};min-width:19px"></td>'
        return f'<td title="block {block}: {said}" style="{CELL};min-width:19px;{look}">{sign}</td>'


def _gap(steps: int) -> str:
    return f'<td colspan="{steps}" style="padding:0;border:0"></td>' if steps else ""


def _legend() -> str:
    words: dict[Kind, str] = {PREFILL: "prefill", DECODE: "decode", VERIFY: "decode with proposals"}
    words |= {PREEMPTED: "preempted, waits again", PADDING: "finished, seat still computed", WAITING: "waits"}
    return "".join(markup.swatch(kind.ink, SIGNS[kind] or "\u00a0", said) for kind, said in words.items())
