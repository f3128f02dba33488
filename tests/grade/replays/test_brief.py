"""The grader's own judgement of a deployment that a run folder names."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from helpers.capstone.deployment import Deployment
from helpers.capstone.judgement import Judgement
from helpers.course.task import Verdict
from helpers.errors import EngineUnavailable, UsageError
from helpers.grade.replays import brief_child
from helpers.grade.replays.brief import hidden_seed, plain_deployment, play_again
from tests.capstone.samples import judgement, steady
from tests.grade.replays.left import CAPSTONE, GOOD_DEPLOYMENT, PREDICTION, forge_brief, unit_of

pytestmark = pytest.mark.timeout(600)
MILESTONE = CAPSTONE.milestone("capstone.brief")


def deployment(**options: Any) -> Deployment:
    return Deployment.build(**{"engine": "llama.cpp", "model": "course", **options})


def test_a_deployment_that_keeps_the_brief_gets_the_milestone(left: Path, tmp_path: Path) -> None:
    forge_brief(left, **GOOD_DEPLOYMENT)
    verdict = play_again(CAPSTONE, unit_of(CAPSTONE, tmp_path), left)
    assert (verdict.state, verdict.reason) == ("reached", "")
    assert verdict.numbers["chat"]["goodput"] > 0


@pytest.mark.parametrize(
    ("decisions", "reason"),
    [
        ({"model": "/etc"}, "nothing that a deployment may say"),
        ({"model": "llama-3.1-8b"}, "does not offer the model"),
        ({"extra": {"release": "latest"}}, "nothing that a deployment may say"),
        ({"max_model_len": 4096, "max_num_seqs": 256}, "does not fit"),
    ],
)
def test_forged_evidence_of_what_cannot_be_started_gets_nothing(
    left: Path, tmp_path: Path, decisions: dict[str, Any], reason: str
) -> None:
    forge_brief(left, **decisions)
    verdict = play_again(CAPSTONE, unit_of(CAPSTONE, tmp_path), left)
    assert verdict.state == "not-reached"
    assert reason in verdict.reason


@pytest.mark.parametrize(
    "options",
    [
        {"model": "../course"},
        {"model": "https://example.org/x"},
        {"quantization": "q8_0; true"},
        {"kv_cache_dtype": "/tmp/x"},
        {"max_num_seqs": 10**9},
        {"max_num_seqs": [1]},
        {"threads": -1},
        {"extra": {"n_batch": "$(id)"}},
        {"extra": {"release": "0.32"}},
        {"extra": {"file": "x"}},
        {"extra": {"n_batch": float("nan")}},
        {"extra": {"n_batch": {"a": 1}}},
    ],
)
def test_a_path_a_command_or_a_number_beyond_all_bounds_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="nothing that a deployment may say"):
        plain_deployment(deployment(**options))


def test_an_ordinary_deployment_passes_without_its_name() -> None:
    ordinary = deployment(
        max_num_seqs=40, max_model_len=1280, extra={"n_batch": 512}, prediction=PREDICTION, name="Ada"
    )
    assert plain_deployment(ordinary) == replace(ordinary, name="")
    assert plain_deployment(deployment(model="llama-3.1-8b")).model == "llama-3.1-8b"


def test_the_load_is_one_submissions_own(tmp_path: Path) -> None:
    unit = unit_of(CAPSTONE, tmp_path)
    assert hidden_seed(unit) == hidden_seed(unit) != hidden_seed(replace(unit, digest="1")) != unit.seed


def verdict_on(left: Path, tmp_path: Path) -> Verdict:
    return brief_child.verdict_on(MILESTONE, left, 1, tmp_path / "judged")


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Judgements by rule: what has more places than today's deployment keeps the objective."""
    asked: list[dict[str, Any]] = []

    def judge(name: str, one: Deployment, *, out: Path, **options: Any) -> Judgement:
        asked.append({"name": name, "deployment": one, **options})
        records = None if one.max_num_seqs else steady(48, ttft_s=5.0)
        found = judgement(name, records, decisions={**one.decisions, "prediction": one.prediction})
        found.save(out)
        return found

    monkeypatch.setattr(brief_child, "judge", judge)
    return asked


def test_todays_deployment_is_judged_under_the_same_load(
    left: Path, tmp_path: Path, judged: list[dict[str, Any]]
) -> None:
    forge_brief(left, **GOOD_DEPLOYMENT)
    assert verdict_on(left, tmp_path).state == "reached"
    today, mine = judged
    assert today["deployment"].decisions == {"engine": "llama.cpp", "model": "course"}
    assert mine["deployment"].max_num_seqs == GOOD_DEPLOYMENT["max_num_seqs"]
    assert {(one["seed"], one["quick"]) for one in judged} == {(1, True)}


def test_forged_figures_count_for_nothing(left: Path, tmp_path: Path, judged: list[dict[str, Any]]) -> None:
    forge_brief(left)
    verdict = verdict_on(left, tmp_path)
    assert verdict.state == "not-reached"
    assert verdict.reason.startswith("in the grader's own judgement: chat: ")
    assert len(judged) == 2 * brief_child.ATTEMPTS


def test_an_engine_that_is_missing_here_is_no_fault_of_the_deployment(
    left: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def judge(*arguments: Any, **options: Any) -> Judgement:
        raise EngineUnavailable("vllm is not installed", "", "")

    forge_brief(left, **GOOD_DEPLOYMENT)
    monkeypatch.setattr(brief_child, "judge", judge)
    assert verdict_on(left, tmp_path) == Verdict(
        "not-run", "needs an engine that can start here: vllm is not installed"
    )


@pytest.mark.parametrize("row", [{}, {"today": "t"}, {"today": "t", "mine": "../x"}, {"today": "t", "mine": 1}, 1])
def test_rows_that_name_nothing_are_refused(left: Path, tmp_path: Path, row: object) -> None:
    forge_brief(left)
    path = left / "evidence" / "capstone.brief.json"
    path.write_text(f'{{"evidence": {{"rows": [{str(row).replace(chr(39), chr(34))}]}}}}')
    assert verdict_on(left, tmp_path).state == "not-reached"
