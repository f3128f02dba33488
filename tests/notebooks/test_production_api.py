"""Task 12.5's judge of the load test: it computes what each server adds again, and asks for valid runs."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from helpers.bench.bundle import save_bundle
from helpers.bench.run import Run
from helpers.bench.statistics import bootstrap
from helpers.course.catalogue import find_milestone
from helpers.course.task import Evidence, Verdict
from tests.bench.samples import make_run


def make_runs(**direct: Any) -> list[Run]:
    labels = {"direct": 0.1, "your server": 0.103, "gateway": 0.101}
    made = [make_run(repeats=direct.pop("repeats", 5), ttft_s=0.1, **direct)]
    made += [make_run(repeats=len(made[0].repeats), ttft_s=ttft_s) for ttft_s in list(labels.values())[1:]]
    return [replace(run, label=label) for label, run in zip(labels, made, strict=True)]


def make_evidence(folder: Path, runs: list[Run], kind: str = "comparison") -> dict[str, Any]:
    """What the lab hands in for these runs."""
    save_bundle(folder / "load", kind, runs)
    added = {}
    for run in runs[1:]:
        pairs = zip(runs[0].repeat_metrics, run.repeat_metrics, strict=True)
        found = bootstrap([through.ttft_s.p50 - base.ttft_s.p50 for base, through in pairs])
        added[run.label] = [found.estimate, found.low, found.high]
    return {"bundle": "load", "baseline": "direct", "added_ttft_s": added}


def judge(evidence: dict[str, Any], folder: Path) -> Verdict:
    return find_milestone("12.5.load")[1].judge(Evidence(evidence, folder))


def test_two_servers_beside_going_direct_reach_it(tmp_path: Path) -> None:
    verdict = judge(make_evidence(tmp_path, make_runs()), tmp_path)
    assert verdict.state == "reached", verdict.reason
    assert verdict.numbers["added_ttft_s"]["your server"][0] == pytest.approx(0.003, rel=0.1)


def quicker(evidence: dict[str, Any]) -> None:
    evidence["added_ttft_s"]["your server"][0] -= 0.001


def one_is_missing(evidence: dict[str, Any]) -> None:
    del evidence["added_ttft_s"]["gateway"]


def another_baseline(evidence: dict[str, Any]) -> None:
    evidence["baseline"] = "gateway"


@pytest.mark.parametrize(
    ("tamper", "reason"),
    [
        (quicker, "by the records"),
        (one_is_missing, "no added TTFT with an interval"),
        (another_baseline, "going direct"),
    ],
)
def test_what_the_records_do_not_say_is_found(
    tmp_path: Path, tamper: Callable[[dict[str, Any]], None], reason: str
) -> None:
    evidence = make_evidence(tmp_path, make_runs())
    tamper(evidence)
    verdict = judge(evidence, tmp_path)
    assert verdict.state == "not-reached"
    assert reason in verdict.reason


@pytest.mark.parametrize(
    ("runs", "reason"),
    [
        (lambda: make_runs()[:2], "your server and the course's gateway"),
        (lambda: make_runs(error="HTTP 500"), "failed"),
        (lambda: make_runs(repeats=3), "3 repeats"),
        (lambda: [replace(run, origin="simulated") for run in make_runs()], "simulated"),
    ],
    ids=["one server", "errors", "few repeats", "simulated"],
)
def test_other_comparisons_do_not_reach_it(tmp_path: Path, runs: Callable[[], list[Run]], reason: str) -> None:
    verdict = judge(make_evidence(tmp_path, runs()), tmp_path)
    assert verdict.state == "not-reached"
    assert reason in verdict.reason
