"""The course's nano engine beside llama.cpp's server, transformers.generate, and its own baselines.

    python benchmarks/nano.py [--repeats 5] [--quick]

About twenty minutes. Everything runs the course model in float32 with one thread. Figures go to results/nano.json and
README.md; --quick makes one smaller repeat, prints it, and keeps nothing. Exit code 1 if a goal is missed.

Loads, all with fixed answer lengths: 16 streams of prompts and answers of 64 tokens; mixed lengths, answers log-uniform
from 32 to 256 tokens, in another random order in each repeat, in batches of 16; the same arriving as a Poisson process
at 80 % of what static batching did in the same repeat; 100 requests that share a prefix of 2,000 tokens.

Static batching is what transformers.generate and FasterTransformer do: 16 requests start together, every step computes
a row for each of the 16, complete or not, until the longest answer is complete; then the next 16 start. In its favour,
prompts are not padded to the longest. It and continuous batching run step by step in turn, each on a clock of its own
(helpers/bench/race.py), so that both meet every slow moment of the machine.
"""

import contextlib
import math
import os
import random
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ["OPENBLAS_NUM_THREADS"] = "1"  # NumPy reads it when it is imported

from nano_sides import Figures, Transformers, drive, send, summarize_lap, transformers_python, what_transformers_needs
from sitting import (
    Bar,
    at_least,
    at_most,
    bar_table,
    circumstances,
    describe,
    interleave,
    markdown_table,
    run_script,
    spread,
)

from helpers.bench.arrivals import Poisson
from helpers.bench.race import Job, race
from helpers.bench.workloads import unique_prompts
from helpers.engines.launch import launch
from helpers.engines.server import Server
from helpers.nano.engine import Engine, load_engine
from helpers.nano.model import Model, load_model

THREADS = 1
STREAMS = 16
TOKENS = 64
SHORTEST, LONGEST = 32, 256
PROMPTS = (16, 20, 24, 32)
"""As long as a question to the course model with its chat template."""

STATIC_SHARE = 0.8
PREFIX_TOKENS = 2000
VOCABULARY = range(3, 2048)


@dataclass(frozen=True)
class Load:
    """A row of the tables: how many requests, with --quick too, and which sides run it."""

    name: str
    requests: int
    least_requests: int
    sides: tuple[str, ...]


IN_PROCESS, OVER_HTTP, LLAMA_CPP = "nano", "nano over HTTP", "llama.cpp"
CONTINUOUS, STATIC, TRANSFORMERS = "nano continuous", "nano static", "transformers"
EQUAL = Load("16 streams", 160, 16, (IN_PROCESS, OVER_HTTP, LLAMA_CPP))
MIXED = Load("mixed lengths", 384, 160, (CONTINUOUS, STATIC, TRANSFORMERS))
"""Many batches: a single one would leave nothing to join, and the last answers of all run alone in either way. Counted
in steps, an endless queue gains 2.12, 384 requests 2.04, 96 only 1.85, and 16 nothing (medians over random orders)."""
ARRIVING = Load("Poisson arrivals", 128, 64, (CONTINUOUS, STATIC))
SHARED = Load("shared prefix", 100, 100, (CONTINUOUS,))
"""The goal is about a hundred: of 16, the first one's share alone would be more than 5 %."""
LOADS = (EQUAL, MIXED, ARRIVING, SHARED)


def make_prompt(chance: random.Random, length: int) -> tuple[int, ...]:
    """Random tokens."""
    return tuple(chance.choices(VOCABULARY, k=length))


def mixed_jobs(count: int, order: int, rate_per_s: float | None = None) -> list[Job]:
    """Answers whose lengths are evenly spread on a logarithmic scale, in a random order; at once, or at this rate."""
    chance = random.Random(order)
    steps = [(number + 0.5) / count for number in range(count)]
    lengths = [round(SHORTEST * math.exp(step * math.log(LONGEST / SHORTEST))) for step in steps]
    chance.shuffle(lengths)
    due_s = [0.0] * count if rate_per_s is None else Poisson(rate_per_s).times_s(count, seed=order)
    return [
        Job(f"r{number}", make_prompt(chance, PROMPTS[number % len(PROMPTS)]), length, due)
        for number, (length, due) in enumerate(zip(lengths, due_s, strict=True))
    ]


def shared_jobs(count: int) -> list[Job]:
    """Short questions behind one long text."""
    chance = random.Random(2)
    prefix = make_prompt(chance, PREFIX_TOKENS)
    return [Job(f"r{number}", prefix + make_prompt(chance, 20), 16) for number in range(count)]


class Sitting:
    """The sides, started."""

    def __init__(self, model: Model, servers: dict[str, Server], transformers: Transformers | None) -> None:
        self._model = model
        self._servers = servers
        self._transformers = transformers
        self._static_requests_per_s = 0.0
        self._raced: dict[tuple[Load, str], Figures] = {}
        self._measured: Counter[tuple[Load, str]] = Counter()

    def measure(self, load: Load, side: str, requests: int) -> Figures:
        """One load on one side, once."""
        if load is EQUAL:
            return self._equal(side, requests)
        if load is SHARED:
            return drive(self._engine("continuous"), shared_jobs(requests))
        self._measured[load, side] += 1
        order = self._measured[load, side]  # the same on all sides of a repeat
        if side == TRANSFORMERS:
            assert self._transformers is not None
            return self._transformers.run(mixed_jobs(requests, order), STREAMS)
        if (load, side) not in self._raced:  # the first of the two sides in this repeat
            self._race(load, requests, order)
        return self._raced.pop((load, side))

    def _race(self, load: Load, requests: int, order: int) -> None:
        jobs = mixed_jobs(requests, order, self._static_requests_per_s * STATIC_SHARE if load is ARRIVING else None)
        laps = race({CONTINUOUS: self._engine("continuous"), STATIC: self._engine("static")}, jobs)
        self._raced |= {(load, side): summarize_lap(lap, jobs) for side, lap in laps.items()}
        if load is MIXED:
            self._static_requests_per_s = self._raced[load, STATIC].requests_per_s

    def _equal(self, side: str, requests: int) -> Figures:
        if side != IN_PROCESS:
            return send(self._servers[side], unique_prompts(TOKENS, TOKENS), STREAMS, requests)
        chance = random.Random(3)
        jobs = [Job(f"r{number}", make_prompt(chance, TOKENS), TOKENS) for number in range(requests)]
        return drive(self._engine("continuous"), jobs)

    def _engine(self, batching: str) -> Engine:
        # A new one each time: nothing of an earlier repeat is in its prefix cache.
        return load_engine("course", loaded=self._model, batching=batching, max_num_seqs=STREAMS)


def sit(repeats: int, share: float) -> Iterator[dict[str, Any]]:
    """Measure everything, with `share` of the requests; what there is so far, after each repeat."""
    before = circumstances()
    with contextlib.ExitStack() as stack:
        options: dict[str, Any] = {"model": "course", "max_num_seqs": STREAMS, "threads": THREADS}
        servers = {
            OVER_HTTP: stack.enter_context(launch("nano", **options)),
            LLAMA_CPP: stack.enter_context(launch("llama.cpp", precision="f32", **options)),
        }
        python = transformers_python()
        transformers = stack.enter_context(Transformers(python, THREADS)) if python else None
        sitting = Sitting(load_model("course"), servers, transformers)
        for load in LOADS[:2]:  # what is done only once is no part of any repeat
            for side in sides_of(load, transformers is not None):
                sitting.measure(load, side, STREAMS)
        runs = []
        for load in LOADS:
            requests = max(load.least_requests, round(load.requests * share))
            runs.append(
                interleave(
                    before,
                    repeats,
                    (load,),
                    sides_of(load, transformers is not None),
                    lambda load, side, requests=requests: sitting.measure(load, side, requests),
                )
            )
        for parts in zip(*runs, strict=True):
            figures = {name: sides for part in parts for name, sides in part["figures"].items()}
            yield {**parts[-1], "figures": figures}


def sides_of(load: Load, transformers: bool) -> list[str]:
    """The sides that run a load here."""
    return [side for side in load.sides if side != TRANSFORMERS or transformers]


def find_bars(result: dict[str, Any]) -> list[Bar]:
    """The goals of the nano engine, from ratios within each repeat."""

    def column(load: Load, side: str, figure: str) -> list[float]:
        return [repeat[figure] for repeat in result["figures"][load.name].get(side, ())]

    def ratios(load: Load, side: str, other: str, figure: str = "tokens_per_s") -> list[float]:
        pairs = zip(column(load, side, figure), column(load, other, figure), strict=True)
        return [ours / theirs for ours, theirs in pairs]

    bars = [
        at_least("16 streams: tokens/s in process, share of llama.cpp's", ratios(EQUAL, IN_PROCESS, LLAMA_CPP), 1),
        at_least("16 streams: tokens/s over HTTP, share of in process", ratios(EQUAL, OVER_HTTP, IN_PROCESS), 0.8),
        at_least("16 streams: tokens/s over HTTP, share of llama.cpp's", ratios(EQUAL, OVER_HTTP, LLAMA_CPP), 0.8),
        at_least("mixed lengths: tokens/s, times static batching's", ratios(MIXED, CONTINUOUS, STATIC), 1.8),
        at_most("Poisson: TTFT p90, share of static's", ratios(ARRIVING, CONTINUOUS, STATIC, "ttft_p90_s"), 1 / 3),
        at_least("shared prefix: prompt tokens saved", column(SHARED, CONTINUOUS, "cached_share"), 0.95),
        at_most("mixed lengths: empty places in used blocks", column(MIXED, CONTINUOUS, "waste"), 0.04),
    ]
    if column(MIXED, TRANSFORMERS, "tokens_per_s"):
        times = ratios(MIXED, CONTINUOUS, TRANSFORMERS)
        bars.insert(3, at_least("mixed lengths: tokens/s, times transformers.generate's", times, 1.5))
    return bars


def render(result: dict[str, Any]) -> str:
    """The tables in Markdown."""
    rows = []
    for load in LOADS:
        measured = result["figures"][load.name]
        for side in load.sides:
            first = load.name if side == load.sides[0] else ""
            if side not in measured:
                rows.append([first, side, what_transformers_needs(), *["-"] * 4])
                continue
            cells = [_cell(measured[side], *column) for column in COLUMNS.values()]
            rows.append([first, side, *cells])
    line = describe(result["circumstances"], result["load_average_after"], result["repeats"])
    return f"{line}\n\n{bar_table(find_bars(result))}\n{markdown_table(('load', 'side', *COLUMNS), rows)}"


COLUMNS = {
    "tokens/s": ("tokens_per_s", 1, 0),
    "of them answers": ("output_tokens_per_s", 1, 0),
    "TTFT p90, ms": ("ttft_p90_s", 1000, 0),
    "waste, %": ("waste", 100, 1),
    "prompt saved, %": ("cached_share", 100, 1),
}


def _cell(repeats: Sequence[dict[str, Any]], figure: str, scale: float, digits: int) -> str:
    values = [repeat[figure] for repeat in repeats if repeat[figure] is not None]
    return spread(values, digits, scale) if values else "-"


if __name__ == "__main__":
    sys.exit(run_script("nano", __doc__, sit, render, find_bars))
