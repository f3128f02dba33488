"""Task 12.4's judges: they compute speedup and acceptance again, from records and from any engine's counters."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from helpers.bench.bundle import save_bundle
from helpers.bench.results import Comparison
from helpers.bench.run import Run
from helpers.bench.speculated import counted_acceptance
from helpers.course.catalogue import find_milestone
from helpers.course.task import Evidence, Verdict
from tests.bench.samples import make_run

VLLM = {"drafts_total": 80.0, "draft_tokens_total": 320.0, "accepted_tokens_total": 176.0}
SGLANG = {"drafts_total": 80.0, "output_tokens_total": 256.0}
"""What they count of the same run: SGLang counts verifying passes and output tokens, and no proposals."""


def counted(run: Run, label: str, counters: dict[str, float]) -> Run:
    zero = dict.fromkeys(counters, 0.0)
    return replace(run, label=label, counters={"before": zero, "after": counters} if counters else {})


def make_runs(counters: dict[str, float], *, gain: float = 2.0, baseline: dict[str, float] | None = None) -> list[Run]:
    slow = make_run("sglang" if counters is SGLANG else "vllm", repeats=5)
    fast = make_run(slow.target.engine, repeats=5, ttft_s=0.1 / gain, tpot_s=0.02 / gain)
    return [
        counted(slow, "baseline", baseline or {}),
        counted(fast, "EAGLE-3", counters),
        counted(fast, "n-gram", counters),
    ]


def make_evidence(folder: Path, runs: list[Run]) -> dict[str, Any]:
    """What notebook and lab hand in for these runs."""
    save_bundle(folder / "one", "comparison", runs)
    comparison, rows = Comparison(tuple(runs)), []
    for run in runs[1:]:
        speedup = comparison.ratio(run.label)
        length, rate = counted_acceptance(run)
        interval = [speedup.estimate, speedup.low, speedup.high]
        rows.append({"bundle": "one", "label": run.label, "speedup": interval, "length": length, "rate": rate})
    return {"rows": rows}


def judge(milestone: str, evidence: dict[str, Any], folder: Path) -> Verdict:
    return find_milestone(milestone)[1].judge(Evidence(evidence, folder))


@pytest.mark.parametrize("counters", [VLLM, SGLANG], ids=["proposals counted", "passes counted"])
def test_a_gain_beside_its_own_baseline_reaches_it(tmp_path: Path, counters: dict[str, float]) -> None:
    verdict = judge("12.4.speedup", make_evidence(tmp_path, make_runs(counters)), tmp_path)
    assert verdict.state == "reached", verdict.reason
    [*_, length] = verdict.numbers["gains"]["one, EAGLE-3"]
    assert length == pytest.approx(3.2)


def faster(evidence: dict[str, Any]) -> None:
    evidence["rows"][0]["speedup"][0] *= 1.1


def longer(evidence: dict[str, Any]) -> None:
    evidence["rows"][0]["length"] += 0.5


def invent_a_rate(evidence: dict[str, Any]) -> None:
    evidence["rows"][0]["rate"] = 0.9


def drop_the_rate(evidence: dict[str, Any]) -> None:
    evidence["rows"][0]["rate"] = None


def only_one(evidence: dict[str, Any]) -> None:
    del evidence["rows"][1]


def elsewhere(evidence: dict[str, Any]) -> None:
    evidence["rows"][0]["bundle"] = "elsewhere"


def the_baseline_itself(evidence: dict[str, Any]) -> None:
    evidence["rows"][0]["label"] = "baseline"


@pytest.mark.parametrize(
    ("tamper", "counters", "reason"),
    [
        (faster, VLLM, "by the records"),
        (longer, VLLM, "not what the engine's counters say"),
        (invent_a_rate, SGLANG, "not what the engine's counters say"),
        (drop_the_rate, VLLM, "not what the engine's counters say"),
        (only_one, VLLM, "1 configurations"),
        (elsewhere, VLLM, "no bundle"),
        (the_baseline_itself, VLLM, "no comparison with a baseline"),
    ],
)
def test_what_the_records_do_not_say_is_found(
    tmp_path: Path, tamper: Callable[[dict[str, Any]], None], counters: dict[str, float], reason: str
) -> None:
    evidence = make_evidence(tmp_path, make_runs(counters))
    tamper(evidence)
    verdict = judge("12.4.speedup", evidence, tmp_path)
    assert verdict.state == "not-reached"
    assert reason in verdict.reason


@pytest.mark.parametrize(
    ("runs", "reason"),
    [
        (lambda: make_runs(VLLM, gain=0.5), "no configuration gained"),
        (lambda: make_runs(VLLM, baseline=VLLM), "speculates too"),
        (lambda: [replace(run, origin="simulated") for run in make_runs(VLLM)], "simulated"),
        (lambda: [replace(run, repeats=run.repeats[:3]) for run in make_runs(VLLM)], "3 repeats; an interval needs"),
        (lambda: [make_run("vllm", repeats=5, error="HTTP 500"), *make_runs(VLLM)[1:]], "failed"),
    ],
    ids=["a loss", "a baseline that speculates", "simulated", "few repeats", "errors"],
)
def test_comparisons_that_show_no_gain_do_not_reach_it(
    tmp_path: Path, runs: Callable[[], list[Run]], reason: str
) -> None:
    verdict = judge("12.4.speedup", make_evidence(tmp_path, runs()), tmp_path)
    assert verdict.state == "not-reached"
    assert reason in verdict.reason


def test_greedy_answers_that_changed_are_no_speculation(tmp_path: Path) -> None:
    runs = make_runs(VLLM)
    options = {**runs[0].workload.options, "temperature": 0}
    runs = [replace(run, workload=replace(run.workload, options=options)) for run in runs]
    for record in runs[1].repeats[0]:
        record.text = "something else"
    verdict = judge("12.4.speedup", make_evidence(tmp_path, runs), tmp_path)
    assert verdict.state == "not-reached"
    assert "answers at temperature 0 changed" in verdict.reason


@pytest.mark.parametrize(
    ("speculation", "counters", "reason"),
    [
        ("eagle3", VLLM, ""),
        ("eagle3", SGLANG, ""),
        ("ngram", VLLM, "not eagle3"),
        ("eagle3", {**VLLM, "accepted_tokens_total": 2.0}, "1.02 tokens a pass"),
        ("eagle3", {}, "0.00 tokens a pass"),
    ],
    ids=["kept", "kept, by passes", "another kind", "a head of random weights", "nothing counted"],
)
def test_a_head_is_loaded_right_if_its_proposals_are_kept(
    tmp_path: Path, speculation: str, counters: dict[str, float], reason: str
) -> None:
    make_evidence(tmp_path, make_runs(counters))
    verdict = judge("12.4.eagle3", {"bundle": "one", "label": "EAGLE-3", "speculation": speculation}, tmp_path)
    assert verdict.state == ("not-reached" if reason else "reached"), verdict.reason
    assert reason in verdict.reason
