"""Several nano engines under one load, in one process, each on a clock of its own.

The engine whose clock is behind steps next, and its clock moves on by the time that the step took; an engine without
work jumps to the next arrival. So all engines share every slow moment of the machine, which an interleaving of whole
runs only does on average. Steps are measured; arrivals lie on the engine's clock, nothing is slept through.
"""

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import fmean
from typing import Any, Protocol

from helpers.bench.metrics import Distribution
from helpers.errors import UsageError


@dataclass(frozen=True, slots=True)
class Job:
    """One request of the load: its prompt's tokens, how many tokens it wants, and when it comes."""

    name: str
    prompt: tuple[int, ...]
    max_tokens: int
    arrives_s: float = 0.0


@dataclass(slots=True)
class Answer:
    """What an engine made of a job; times in seconds on the engine's clock, one for each token."""

    name: str
    arrives_s: float
    wanted_tokens: int
    ids: list[int] = field(default_factory=list)
    token_s: list[float] = field(default_factory=list)

    @property
    def ttft_s(self) -> float:
        """From arrival to the first token."""
        return self.token_s[0] - self.arrives_s

    @property
    def gaps_s(self) -> list[float]:
        """Between consecutive tokens."""
        return [later - earlier for earlier, later in zip(self.token_s, self.token_s[1:], strict=False)]


class Engine(Protocol):
    """What is needed of a `helpers.nano.engine.Engine`, which has to have a trace."""

    trace: Any

    @property
    def has_work(self) -> bool:
        """Whether any request has not ended."""

    def add_request(
        self, ids: Sequence[int], *, max_tokens: int | None, ignore_eos: bool, request_id: str | None
    ) -> Any:
        """Take a request."""

    def step(self) -> Sequence[Any]:
        """Run one step."""


@dataclass(slots=True)
class Lap:
    """One engine's way through the load.

    Attributes:
        answers: by the job's name, in the order of arrival.
        steps: {"end_s", "seconds", "work", "used_blocks", "block_size", "filled_tokens", "padding_tokens", "preempted"}
            each; work is [job, first position, tokens, new tokens, whether it only fills a slot].
        clock_s: the engine's own time so far.
    """

    answers: dict[str, Answer]
    steps: list[dict[str, Any]] = field(default_factory=list)
    clock_s: float = 0.0

    @property
    def output_tokens(self) -> int:
        """New tokens so far."""
        return sum(len(answer.ids) for answer in self.answers.values())

    @property
    def finished(self) -> int:
        """Answers that are complete."""
        return sum(len(answer.ids) == answer.wanted_tokens for answer in self.answers.values())

    @property
    def output_tokens_per_s(self) -> float:
        """New tokens by the engine's own time."""
        return self.output_tokens / self.clock_s

    @property
    def ttft_s(self) -> Distribution | None:
        """Over all answers."""
        return Distribution.of(answer.ttft_s for answer in self.answers.values())

    @property
    def kv_waste(self) -> float:
        """Places of owned blocks that held no token, as a share of all, over all steps."""
        reserved: int = sum(step["used_blocks"] * step["block_size"] for step in self.steps)
        filled: int = sum(step["filled_tokens"] for step in self.steps)
        return 1 - filled / reserved

    @property
    def batch_waste(self) -> float:
        """Places of the batch that nobody needed, as a share of all, over all steps."""
        padding: int = sum(step["padding_tokens"] for step in self.steps)
        needed: int = sum(work[2] for step in self.steps for work in step["work"] if not work[4])
        return padding / (padding + needed)

    @property
    def mean_batch(self) -> float:
        """Requests that gained from a step, on average."""
        return fmean(sum(not work[4] for work in step["work"]) for step in self.steps)

    def to_json(self) -> dict[str, Any]:
        """JSON-ready: the raw records, nothing computed from them."""
        return {
            "answers": {name: asdict(answer) for name, answer in self.answers.items()},
            "steps": self.steps,
            "clock_s": self.clock_s,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Lap":
        """`to_json`'s inverse."""
        answers = {name: Answer(**answer) for name, answer in value["answers"].items()}
        return cls(answers, list(value["steps"]), value["clock_s"])


def mixed_load(
    requests: int,
    *,
    prompt_tokens: tuple[int, int] = (8, 64),
    output_tokens: tuple[int, int] = (8, 64),
    vocabulary: int = 2048,
    rate_per_s: float | None = None,
    shared: Sequence[int] = (),
    seed: int = 0,
) -> list[Job]:
    """Jobs of very different length: log-uniform between the two bounds, as lengths of real conversations spread.

    Args:
        requests: how many.
        prompt_tokens, output_tokens: (shortest, longest); a prompt's length is without `shared`.
        vocabulary: prompts are random tokens below it, without the first few, which are special.
        rate_per_s: of Poisson arrivals; None: all are there at the start.
        shared: the tokens that all prompts begin with.
        seed: same seed, same load.
    """
    draw = random.Random(seed)
    jobs, now_s = [], 0.0
    for number in range(requests):
        prompt = [draw.randrange(16, vocabulary) for _ in range(_log_uniform(draw, *prompt_tokens))]
        longest = _log_uniform(draw, *output_tokens)
        now_s += draw.expovariate(rate_per_s) if rate_per_s else 0.0
        jobs.append(Job(f"r{number:02}", (*shared, *prompt), longest, now_s))
    return jobs


def race(
    engines: Mapping[str, Engine], jobs: Sequence[Job], progress: Callable[[Mapping[str, Lap]], None] | None = None
) -> dict[str, Lap]:
    """Run a load on each engine, to its end.

    Args:
        engines: by name; idle, with a trace.
        jobs: in the order of arrival; every answer gets as many tokens as asked for.
        progress: told now and then how far each is.

    Raises:
        UsageError: an engine without a trace, or whose scheduler runs nobody although requests wait.
        CourseError: a request failed.
    """
    for name, engine in engines.items():
        if engine.trace is None:
            raise UsageError(f"the engine {name!r} records no trace", "a race needs to know who ran in each step")
    laps = {name: Lap({job.name: Answer(job.name, job.arrives_s, job.max_tokens) for job in jobs}) for name in engines}
    runs = {name: _run(engine, jobs, laps[name]) for name, engine in engines.items()}
    told_s = time.perf_counter()
    while runs:
        behind = min(runs, key=lambda name: laps[name].clock_s)
        if next(runs[behind], None) is None:
            del runs[behind]
        if progress is not None and (not runs or time.perf_counter() - told_s > 0.2):
            progress(laps)
            told_s = time.perf_counter()
    return laps


def _run(engine: Engine, jobs: Sequence[Job], lap: Lap) -> Iterator[bool]:
    """Step by step to the end; yields after each step."""
    coming, number = list(jobs), -1
    while coming or engine.has_work:
        if not engine.has_work:
            lap.clock_s = max(lap.clock_s, coming[0].arrives_s)
        while coming and coming[0].arrives_s <= lap.clock_s:
            job = coming.pop(0)
            engine.add_request(job.prompt, max_tokens=job.max_tokens, ignore_eos=True, request_id=job.name)
        started_s = time.perf_counter()
        outputs = engine.step()
        seconds = time.perf_counter() - started_s
        record = engine.trace.records[-1] if engine.trace.records else None
        if record is None or record.number == number:
            raise UsageError("a step ran nobody although requests wait", "the scheduler let none of them in")
        number = record.number
        lap.clock_s += seconds
        for output in outputs:
            if output.request.error is not None:
                raise output.request.error
            answer = lap.answers[output.request.request_id]
            answer.ids.extend(output.tokens)
            answer.token_s.extend([lap.clock_s] * len(output.tokens))
        lap.steps.append(_trim(record.to_json(), seconds, lap.clock_s))
        yield True


def _trim(record: Mapping[str, Any], seconds: float, end_s: float) -> dict[str, Any]:
    kept = ("used_blocks", "block_size", "filled_tokens", "padding_tokens", "preempted")
    work = [
        [item["request_id"], item["start"], item["tokens"], item["generated"], item["padding"]]
        for item in record["work"]
    ]
    return {"end_s": end_s, "seconds": seconds, "work": work, **{name: record[name] for name in kept}}


def _log_uniform(draw: random.Random, shortest: int, longest: int) -> int:
    return round(shortest * float((longest / shortest) ** draw.random()))
