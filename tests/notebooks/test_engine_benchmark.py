"""Task 12.1's judge: it computes the comparison again and says what is wrong with the evidence."""

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from helpers.bench.bundle import save_bundle
from helpers.bench.groups import group_runs
from helpers.bench.results import Comparison
from helpers.bench.run import Run
from helpers.bench.standings import engine_rows
from helpers.course.catalogue import find_milestone
from helpers.course.task import Evidence, Verdict
from tests.bench.samples import make_run


def two_runs(**second: Any) -> list[Run]:
    return [make_run(precision="f32", repeats=3), make_run(precision="q8_0", tpot_s=0.01, **{"repeats": 3, **second})]


def make_evidence(folder: Path, runs: list[Run], kind: str = "comparison") -> dict[str, Any]:
    """What the notebook hands in for these runs."""
    save_bundle(folder / "one", kind, runs)
    comparison = Comparison(tuple(runs))
    ratios = []
    for run in runs[1:] if kind == "comparison" and len(runs[-1].repeats) > 2 else []:
        interval = comparison.ratio(run.label)
        ratios.append({"bundle": "one", "label": run.label, "ratio": [interval.estimate, interval.low, interval.high]})
    return {"bundles": ["one"], "rows": [asdict(row) for row in engine_rows(group_runs(runs))], "ratios": ratios}


def judge(folder: Path, evidence: dict[str, Any]) -> Verdict:
    return find_milestone("12.1.report")[1].judge(Evidence(evidence, folder))


def test_a_simulation_is_no_evidence(tmp_path: Path) -> None:
    runs = [replace(run, origin="simulated") for run in two_runs()]
    verdict = judge(tmp_path, make_evidence(tmp_path, runs))
    assert verdict.state == "not-reached"
    assert "simulated" in verdict.reason


def test_an_honest_comparison_reaches_it(tmp_path: Path) -> None:
    verdict = judge(tmp_path, make_evidence(tmp_path, two_runs()))
    assert verdict.state == "reached", verdict.reason
    assert len(verdict.numbers["configurations"]) == 2


def drop_an_engine(evidence: dict[str, Any]) -> None:
    evidence["rows"] = [row for row in evidence["rows"] if row["engine"] != "sglang"]


def make_faster(evidence: dict[str, Any]) -> None:
    evidence["rows"][0]["tpot_s"] *= 0.9


def invent_a_row(evidence: dict[str, Any]) -> None:
    evidence["rows"].append({**evidence["rows"][0], "variant": "vllm f32", "engine": "vllm"})


def narrow_the_interval(evidence: dict[str, Any]) -> None:
    evidence["ratios"][0]["ratio"][1] *= 1.01


def drop_the_ratios(evidence: dict[str, Any]) -> None:
    evidence["ratios"] = []


def name_no_bundle(evidence: dict[str, Any]) -> None:
    evidence["bundles"] = ["elsewhere"]


@pytest.mark.parametrize(
    ("tamper", "reason"),
    [
        (drop_an_engine, "no row for sglang"),
        (make_faster, "tpot_s is"),
        (invent_a_row, "the records do not"),
        (narrow_the_interval, "by the records"),
        (drop_the_ratios, "no ratio with an interval"),
        (name_no_bundle, "no bundle"),
    ],
)
def test_what_the_records_do_not_say_is_found(
    tmp_path: Path, tamper: Callable[[dict[str, Any]], None], reason: str
) -> None:
    evidence = make_evidence(tmp_path, two_runs())
    tamper(evidence)
    verdict = judge(tmp_path, evidence)
    assert verdict.state == "not-reached"
    assert reason in verdict.reason


@pytest.mark.parametrize(
    ("runs", "kind", "reason"),
    [
        (two_runs(error="HTTP 500"), "comparison", "1 of 48 requests failed"),
        (two_runs()[:1], "run", "needs two configurations"),
        (two_runs(), "sweep", "no bundle holds an interleaved comparison"),
        ([make_run(precision="f32"), make_run(precision="q8_0")], "comparison", "at least 3 repeats"),
    ],
    ids=["errors", "one configuration", "not interleaved", "no repeats"],
)
def test_runs_that_are_no_comparison_do_not_reach_it(tmp_path: Path, runs: list[Run], kind: str, reason: str) -> None:
    verdict = judge(tmp_path, make_evidence(tmp_path, runs, kind))
    assert verdict.state == "not-reached"
    assert reason in verdict.reason
