"""Whole notebooks on the embedded default: papermill decides that they run, nbval that their verdicts hold."""

import json
from pathlib import Path

import pytest

from helpers.course.build import CHECKED_TAG
from helpers.course.catalogue import Entry
from helpers.course.execution import Limits, execute
from helpers.course.run import RunResult
from tests.clones import run_nbval

pytestmark = [pytest.mark.notebook, pytest.mark.timeout(1800)]


def test_the_notebook_runs_from_top_to_bottom(quick_run: RunResult) -> None:
    (task,) = quick_run.tasks
    assert (task.ending.outcome, task.ending.reason) == ("ok", "")


def test_its_milestones_are_what_the_embedded_default_reaches(entry: Entry, quick_run: RunResult) -> None:
    (task,) = quick_run.tasks
    for definition, milestone in zip(entry.task.milestones, task.milestones, strict=True):
        # An engine installed beside the default may reach what the default alone cannot.
        allowed = {definition.embedded, "reached"}
        assert milestone.state in allowed, f"{milestone.id}: {milestone.reason}"
        assert milestone.backend or milestone.state == "not-run"


def test_the_run_page_links_a_report(quick_run: RunResult) -> None:
    page = (quick_run.folder / "index.html").read_text(encoding="utf-8")
    (task,) = quick_run.tasks
    for path in task.folder.glob("*.html"):
        assert f'href="{task.folder.name}/{path.name}"' in page
        assert "src=" not in page


def checked_texts(notebook: Path) -> dict[str, list[str]]:
    """Cell id -> what nbval compares of its outputs: the text of a tagged cell."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return {
        cell["id"]: ["".join(output["data"]["text/plain"]) for output in cell["outputs"] if "data" in output]
        for cell in cells
        if CHECKED_TAG in cell["metadata"].get("tags", [])
    }


def test_the_committed_verdicts_of_the_notebook_hold(entry: Entry, quick_run: RunResult) -> None:
    # The run above is looked at as nbval would; a second one by nbval would say the same minutes later.
    (task,) = quick_run.tasks
    committed = checked_texts(entry.notebook("notebooks"))
    assert committed
    assert checked_texts(task.folder / f"{entry.stem}.ipynb") == committed


def test_the_committed_verdicts_of_the_solution_hold(entry: Entry, course_copy: Path) -> None:
    done = run_nbval(course_copy, course_copy / "solutions" / f"{entry.stem}.ipynb")
    assert done.returncode == 0, done.stdout[-8000:]


def test_the_unfilled_lab_stops_at_a_to_do(entry: Entry, tmp_path: Path) -> None:
    parameters = {"quick": True, "run_dir": str(tmp_path / "run")}
    ending = execute(entry.notebook("labs"), tmp_path / "run" / "lab.ipynb", parameters, Limits(600, 300))
    assert ending.outcome == "error"
    assert "ExerciseTodo" in ending.reason
