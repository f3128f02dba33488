"""Task 12.2's judges: they compute races and sweeps again and say what is wrong with the evidence."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from helpers.bench.bundle import save_bundle
from helpers.bench.metrics import Objective, summarize
from helpers.bench.race import Lap, mixed_load, race
from helpers.bench.results import Sweep
from helpers.bench.run import Run
from helpers.bench.statistics import ratio
from helpers.course.catalogue import find_milestone
from helpers.course.task import Evidence, Verdict
from helpers.nano.scheduler import Scheduler
from helpers.nano.static_scheduler import StaticScheduler
from tests.bench.samples import make_run
from tests.bench.test_race import make

OBJECTIVE = {"ttft_s": 0.15, "tpot_s": 0.1}
RACES = 5


def judge(milestone: str, evidence: dict[str, Any], folder: Path = Path()) -> Verdict:
    return find_milestone(milestone)[1].judge(Evidence(evidence, folder))


def slowed(lap: Lap, factor: float) -> Lap:
    """The same lap with every step a given time long, so that nothing depends on this machine."""
    for step in lap.steps:
        step["seconds"] = 0.01 * factor
    lap.clock_s = sum(step["seconds"] for step in lap.steps)
    return lap


def batching(kind: type[Scheduler] = Scheduler, *, step_factor: float = 1.0) -> dict[str, Any]:
    """What the notebook hands in for five races."""
    jobs = mixed_load(12, output_tokens=(2, 12), seed=5)
    races = []
    for number in range(RACES):
        laps = race({"static": make(StaticScheduler), "continuous": make(kind)}, jobs)
        noise = 1 + number / 100
        races.append(
            {"static": slowed(laps["static"], noise), "continuous": slowed(laps["continuous"], noise * step_factor)}
        )
    rates = [[one[side].output_tokens_per_s for one in races] for side in ("static", "continuous")]
    found = ratio(*rates)
    return {
        "seats": 2,
        "jobs": [{"name": job.name, "prompt": list(job.prompt), "max_tokens": job.max_tokens} for job in jobs],
        "races": [{side: lap.to_json() for side, lap in one.items()} for one in races],
        "ratio": [found.estimate, found.low, found.high],
        "waste": {side: {"kv": lap.kv_waste, "batch": lap.batch_waste} for side, lap in races[0].items()},
    }


def test_honest_races_reach_it() -> None:
    verdict = judge("12.2.batching", batching())
    assert verdict.state == "reached", verdict.reason
    assert verdict.numbers["races"] == RACES
    assert verdict.numbers["waste"]["static"]["batch"] > 0


def better_ratio(evidence: dict[str, Any]) -> None:
    evidence["ratio"][0] *= 1.01


def another_token(evidence: dict[str, Any]) -> None:
    evidence["races"][1]["continuous"]["answers"]["r03"]["ids"][0] += 1


def cut_an_answer(evidence: dict[str, Any]) -> None:
    evidence["races"][0]["static"]["answers"]["r03"]["ids"].pop()


def slow_the_clock(evidence: dict[str, Any]) -> None:
    evidence["races"][2]["static"]["clock_s"] *= 2


def drop_a_job(evidence: dict[str, Any]) -> None:
    evidence["jobs"].pop()


def less_waste(evidence: dict[str, Any]) -> None:
    evidence["waste"]["continuous"]["kv"] /= 2


def fewer_seats(evidence: dict[str, Any]) -> None:
    evidence["seats"] = 1


def fewer_races(evidence: dict[str, Any]) -> None:
    evidence["races"] = evidence["races"][:4]


def swap_the_sides(evidence: dict[str, Any]) -> None:
    for one in evidence["races"]:
        one["static"] = one["continuous"]


def skip_a_step(evidence: dict[str, Any]) -> None:
    lap = evidence["races"][0]["continuous"]
    lap["clock_s"] -= lap["steps"].pop()["seconds"]


@pytest.mark.parametrize(
    ("tamper", "reason"),
    [
        (better_ratio, "by the records"),
        (another_token, "did not give the same tokens"),
        (cut_an_answer, "were asked for"),
        (slow_the_clock, "its clock shows"),
        (drop_a_job, "12 answers to 11 jobs"),
        (less_waste, "the kv waste is"),
        (fewer_seats, "of 1 seats"),
        (fewer_races, "an interval needs 5"),
        (swap_the_sides, "in the static lap a request joined"),
        (skip_a_step, "by the steps"),
    ],
)
def test_what_the_records_do_not_say_is_found(tamper: Callable[[dict[str, Any]], None], reason: str) -> None:
    evidence = batching()
    tamper(evidence)
    verdict = judge("12.2.batching", evidence)
    assert verdict.state == "not-reached"
    assert reason in verdict.reason


@pytest.mark.parametrize(
    ("evidence", "reason"),
    [
        (lambda: batching(StaticScheduler), "no request joined a batch that was running"),
        (lambda: batching(step_factor=2.0), "holds 1"),
    ],
    ids=["static on both sides", "no gain"],
)
def test_races_that_show_no_gain_do_not_reach_it(evidence: Callable[[], dict[str, Any]], reason: str) -> None:
    verdict = judge("12.2.batching", evidence())
    assert verdict.state == "not-reached"
    assert reason in verdict.reason


def served(folder: Path, engine: str = "vllm", loads: tuple[int, ...] = (1, 4, 16), **run: Any) -> dict[str, Any]:
    """What the notebook hands in for a sweep of vLLM."""
    runs: list[Run] = []
    for streams in loads:
        made = make_run(engine, concurrency=streams, requests=2 * streams, tpot_s=0.02 + 0.005 * streams, **run)
        runs.append(replace(made, label=f"{streams} streams"))
    save_bundle(folder / "load", "sweep", runs)
    knee = Sweep(tuple(runs)).knee
    return {
        "bundle": "load",
        "seats": 16,
        "gauges": {
            run.label: [{"at_s": 0.1, "requests_running": run.concurrency or 0, "kv_cache_usage": 0.2}] for run in runs
        },
        "knee": knee.label if knee else "",
        "objective": OBJECTIVE,
        "goodput_per_s": {run.label: summarize(run.records, Objective(**OBJECTIVE)).goodput_per_s for run in runs},
    }


def test_an_honest_sweep_of_vllm_reaches_it(tmp_path: Path) -> None:
    verdict = judge("12.2.vllm", served(tmp_path), tmp_path)
    assert verdict.state == "reached", verdict.reason
    assert verdict.numbers["gain"] > 1


def another_knee(evidence: dict[str, Any]) -> None:
    evidence["knee"] = "1 streams"


def more_goodput(evidence: dict[str, Any]) -> None:
    evidence["goodput_per_s"]["4 streams"] += 1


def no_gauges(evidence: dict[str, Any]) -> None:
    evidence["gauges"] = {}


def never_two(evidence: dict[str, Any]) -> None:
    evidence["gauges"]["16 streams"][0]["requests_running"] = 1


def too_many(evidence: dict[str, Any]) -> None:
    evidence["gauges"]["16 streams"][0]["requests_running"] = 40


def no_cache(evidence: dict[str, Any]) -> None:
    evidence["gauges"]["16 streams"][0].pop("kv_cache_usage")


@pytest.mark.parametrize(
    ("tamper", "reason"),
    [
        (another_knee, "the knee is"),
        (more_goodput, "the goodput is"),
        (no_gauges, "0 readings"),
        (never_two, "never said that it runs two"),
        (too_many, "of 16 seats"),
        (no_cache, "KV cache is in use"),
    ],
)
def test_what_the_sweep_does_not_say_is_found(
    tmp_path: Path, tamper: Callable[[dict[str, Any]], None], reason: str
) -> None:
    evidence = served(tmp_path)
    tamper(evidence)
    verdict = judge("12.2.vllm", evidence, tmp_path)
    assert verdict.state == "not-reached"
    assert reason in verdict.reason


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"engine": "llama.cpp"}, "was measured on llama.cpp"),
        ({"loads": (1, 4)}, "at least 16 streams"),
        ({"error": "HTTP 500"}, "failed"),
    ],
    ids=["another engine", "a short sweep", "errors"],
)
def test_other_sweeps_do_not_reach_it(tmp_path: Path, options: dict[str, Any], reason: str) -> None:
    verdict = judge("12.2.vllm", served(tmp_path, **options), tmp_path)
    assert verdict.state == "not-reached"
    assert reason in verdict.reason
