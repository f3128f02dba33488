"""Engines under one load, each on its own clock; without a model."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from helpers.bench.race import Job, Lap, mixed_load, race
from helpers.errors import CourseError, UsageError
from helpers.nano.block_manager import BlockManager
from helpers.nano.request import Request
from helpers.nano.scheduler import Scheduler, SchedulerConfig
from helpers.nano.static_scheduler import StaticScheduler
from helpers.nano.trace import Scheduled, Trace

TIMES_S = {"started_s": 0.0, "schedule_s": 0.0, "forward_s": 0.0, "sample_s": 0.0, "draft_s": 0.0}


@dataclass
class Engine:
    """nano's scheduler with a model that says the token's place in the answer."""

    scheduler: Scheduler
    trace: Trace | None = field(default_factory=Trace)

    @property
    def has_work(self) -> bool:
        return self.scheduler.has_work

    def add_request(
        self, ids: Any, *, max_tokens: int | None = None, ignore_eos: bool = False, request_id: str | None = None
    ) -> Request:
        assert max_tokens is not None
        assert request_id is not None
        request = Request.of(request_id, ids, max_tokens)
        self.scheduler.add(request)
        return request

    def step(self) -> list[Any]:
        step = self.scheduler.schedule()
        if not step.work:
            return []
        scheduled = Scheduled.of(self.scheduler, step)
        sampled = {work.request: [work.request.output_tokens] for work in step.work if work.samples}
        self.scheduler.update(step, sampled)
        assert self.trace is not None
        self.trace.add(scheduled, self.scheduler, TIMES_S)
        return [SimpleNamespace(request=request, tokens=tokens) for request, tokens in sampled.items()]


def make(kind: type[Scheduler] = Scheduler, seats: int = 2) -> Engine:
    return Engine(kind(SchedulerConfig(max_num_seqs=seats), BlockManager(64, 4, prefix_caching=False)))


def test_both_engines_answer_all_and_their_clocks_are_their_own_steps() -> None:
    jobs = mixed_load(8, output_tokens=(1, 9), seed=3)
    laps = race({"static": make(StaticScheduler), "continuous": make()}, jobs)
    for lap in laps.values():
        assert lap.finished == len(jobs)
        assert [len(answer.ids) for answer in lap.answers.values()] == [job.max_tokens for job in jobs]
        assert lap.clock_s == pytest.approx(sum(step["seconds"] for step in lap.steps))
    assert len(laps["continuous"].steps) <= len(laps["static"].steps)
    assert laps["static"].batch_waste > laps["continuous"].batch_waste == 0
    assert laps["static"].kv_waste > laps["continuous"].kv_waste > 0
    assert 1 <= laps["continuous"].mean_batch <= 2


def test_an_idle_engine_jumps_to_the_next_arrival() -> None:
    jobs = [Job("a", (17,), 2), Job("b", (18,), 1, arrives_s=50.0)]
    lap = race({"one": make()}, jobs)["one"]
    assert lap.answers["b"].token_s[0] >= 50
    assert lap.answers["b"].ttft_s < 1
    assert len(lap.answers["a"].gaps_s) == 1
    assert [step["work"] for step in lap.steps] == [
        [["a", 0, 1, 1, False]],
        [["a", 1, 1, 1, False]],
        [["b", 0, 1, 1, False]],
    ]


def test_a_lap_comes_back_from_its_records() -> None:
    lap = race({"one": make()}, mixed_load(4, seed=1))["one"]
    again = Lap.from_json(lap.to_json())
    assert again == lap
    assert again.output_tokens_per_s == lap.output_tokens_per_s
    assert again.ttft_s == lap.ttft_s


def test_progress_is_told_at_the_end() -> None:
    told: list[int] = []
    race({"one": make()}, mixed_load(3), lambda laps: told.append(laps["one"].finished))
    assert told[-1] == 3


def test_the_load_is_as_asked_and_the_same_again() -> None:
    jobs = mixed_load(200, prompt_tokens=(4, 8), output_tokens=(8, 64), rate_per_s=5.0, shared=(1, 2), seed=7)
    assert jobs == mixed_load(200, prompt_tokens=(4, 8), output_tokens=(8, 64), rate_per_s=5.0, shared=(1, 2), seed=7)
    assert {job.prompt[:2] for job in jobs} == {(1, 2)}
    assert {len(job.prompt) for job in jobs} <= set(range(6, 11))
    assert min(job.max_tokens for job in jobs) >= 8
    assert max(job.max_tokens for job in jobs) <= 64
    assert jobs[-1].arrives_s == pytest.approx(40, rel=0.3)


def test_an_engine_without_a_trace_is_refused() -> None:
    engine = make()
    engine.trace = None
    with pytest.raises(UsageError, match="records no trace"):
        race({"one": engine}, mixed_load(1))


def test_a_scheduler_that_lets_nobody_in_is_found() -> None:
    class Closed(Scheduler):
        def schedule(self) -> Any:
            return SimpleNamespace(work=())

    with pytest.raises(UsageError, match="ran nobody"):
        race({"one": make(Closed)}, mixed_load(1))


def test_a_request_that_fails_ends_the_race_with_its_error() -> None:
    class Failing(Engine):
        def step(self) -> list[Any]:
            outputs = super().step()
            outputs[0].request.error = CourseError("no numbers")
            return outputs

    with pytest.raises(CourseError, match="no numbers"):
        race({"one": Failing(make().scheduler)}, mixed_load(1))
