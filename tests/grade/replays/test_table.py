"""Milestones that are played again, and what becomes of the grader's own verdict."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from helpers.course.catalogue import find_milestone
from helpers.course.execution import Ending
from helpers.grade.marks import _numbers
from helpers.grade.replays import REPLAYS
from helpers.grade.results import replay_path, unit_folder
from helpers.grade.running import Ran, judge_run
from helpers.grade.verdicts import Judged
from tests.grade.builders import milestone, result
from tests.grade.replays.left import API, forge_load, unit_of

pytestmark = pytest.mark.timeout(240)


def judged_load(left: Path, tmp_path: Path) -> Judged:
    """The milestone, as judged after a run in which every cell ran."""
    notebook = json.loads(API.notebook("solutions").read_text())
    for number, cell in enumerate(notebook["cells"]):
        if cell["cell_type"] == "code":
            cell["execution_count"] = number + 1
    (left.parent / "executed.ipynb").write_text(json.dumps(notebook))
    ran = Ran(Ending("ok", "", 1.0), {"engines": [], "refused": []}, ())
    judged = judge_run(API, unit_of(API, tmp_path), left.parent, left, ran)
    return next(one for one in judged if one.id == "12.5.load")


@pytest.mark.parametrize("milestone_id", REPLAYS)
def test_each_is_a_milestone_of_the_course(milestone_id: str) -> None:
    assert find_milestone(milestone_id)[1].id == milestone_id


def test_forged_evidence_that_the_judge_believes_is_not_the_last_word(left: Path, tmp_path: Path) -> None:
    forge_load(left)
    judged = judged_load(left, tmp_path)
    assert (judged.state, judged.reason) == ("not-reached", "the run left no server.py to put a load on")
    assert json.loads(replay_path(left, "12.5.load").read_text())["state"] == "not-reached"


def test_without_the_replay_it_would_have_been_believed(
    left: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("helpers.grade.running.REPLAYS", {})
    forge_load(left)
    assert judged_load(left, tmp_path).state == "reached"


def test_a_band_counts_the_graders_number_not_the_notebooks(tmp_path: Path) -> None:
    run = unit_folder(tmp_path, "ada", API.stem) / "run"
    run.mkdir(parents=True)
    forge_load(run)
    path = replay_path(run, "12.5.load")
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"state": "reached", "reason": "", "numbers": {"added_ttft_s": {"own": [0.5]}}}))
    item = replace(milestone(evidence="run/evidence/12.5.load.json"), id="12.5.load")
    assert _numbers(tmp_path, result("ada", [item], task=API.stem), item) == {"added_ttft_s": {"own": [0.5]}}
