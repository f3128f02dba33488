"""What holds for every task, whatever it teaches. Nothing here starts an engine."""

import json
import subprocess
import sys
from typing import Any

from helpers.config import ROOT
from helpers.course.answers import Outcome
from helpers.course.build import CHECKED_TAG, differences
from helpers.course.catalogue import STEM, Entry, find_tasks
from helpers.course.check import judge_exercises
from helpers.course.exercises import report_on
from helpers.course.mistakes import read_mistakes, run_wrong_answers
from helpers.models.prefetch import downloads

MILESTONES = {
    *("12.1.report", "12.2.batching", "12.2.vllm", "12.3.aot", "12.3.prefill", "12.3.tensorrt-llm"),
    *("12.4.speedup", "12.4.eagle3", "12.5.server", "12.5.load", "12.6.ui", "12.6.ollama", "capstone.brief"),
}
LEAST_WRONG_ANSWERS = 3
LARGEST_NOTEBOOK_BYTES = 500_000


def code_cells(entry: Entry, view: str) -> list[dict[str, Any]]:
    notebook = json.loads(entry.notebook(view).read_text(encoding="utf-8"))
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def test_every_content_folder_is_a_task() -> None:
    folders = {path.name for path in (ROOT / "content").iterdir() if path.is_dir() and not path.name.startswith("_")}
    folders.remove("sample_class")  # for trying `course grade`; what it is made from
    assert folders == {entry.stem for entry in find_tasks()}
    assert folders, "no task was found"
    assert all(STEM.fullmatch(folder) for folder in folders)


def test_a_rebuild_gives_the_committed_bytes() -> None:
    assert differences() == []


def test_ids_are_unique_in_the_course_and_milestones_those_of_the_contract() -> None:
    exercises = [exercise.id for entry in find_tasks() for exercise in entry.task.exercises]
    milestones = [milestone.id for entry in find_tasks() for milestone in entry.task.milestones]
    assert len(set(exercises)) == len(exercises)
    assert len(set(milestones)) == len(milestones)
    assert set(milestones) <= MILESTONES


def test_a_task_that_downloads_models_for_a_gpu_says_for_how_long_it_takes_one(entry: Entry) -> None:
    assert not isinstance(entry.name, int) or not downloads([entry.name]) or entry.task.gpu_minutes > 0


def test_masters_and_notebooks_pass_lint() -> None:
    folders = ["content", "notebooks", "labs", "solutions"]
    for command in (["check"], ["format", "--check"]):
        argv = [sys.executable, "-m", "ruff", *command, "--no-cache", *folders]
        done = subprocess.run(argv, cwd=ROOT, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout


def test_checked_cells_have_what_they_are_compared_with(entry: Entry) -> None:
    """Without an execution count nbval compares nothing and passes."""
    for view in ("notebooks", "solutions"):
        checked = [cell for cell in code_cells(entry, view) if CHECKED_TAG in cell["metadata"].get("tags", [])]
        expected = [milestone.cell_id for milestone in entry.task.milestones if milestone.embedded == "reached"]
        assert [cell["id"] for cell in checked] == expected
        assert expected, "no milestone of this task is compared"
        for cell in checked:
            assert cell["execution_count"]
            assert "reached" in cell["outputs"][0]["data"]["text/plain"][0]


def test_no_notebook_is_large(entry: Entry) -> None:
    for view in ("notebooks", "labs", "solutions"):
        assert entry.notebook(view).stat().st_size < LARGEST_NOTEBOOK_BYTES


def test_every_exercise_of_the_unfilled_lab_is_to_do(entry: Entry) -> None:
    reports = judge_exercises(entry, entry.notebook("labs"))
    assert {report.exercise: report.state for report in reports} == {
        exercise.id: "to-do" for exercise in entry.task.exercises
    }


def test_every_exercise_of_the_solution_holds(entry: Entry) -> None:
    for report in judge_exercises(entry, entry.notebook("solutions")):
        assert report.state == "holds", report.lines()


def test_every_planted_wrong_answer_is_caught_by_its_own_message(entry: Entry) -> None:
    mistakes = read_mistakes(entry)
    planted: dict[str, int] = {exercise.id: 0 for exercise in entry.task.exercises}
    for wrong, planted_mistake in run_wrong_answers(entry):
        exercise = entry.exercise(wrong.exercise)
        report = report_on(exercise, exercise.cases, planted_mistake.outcomes, mistakes[exercise.id])
        assert report.state == "fails", f"{wrong.path.name} is not wrong on any visible case"
        assert report.mistake == wrong.message, f"{wrong.path.name} behaves like another mistake"
        assert report.hint
        planted[exercise.id] += 1
    assert all(count >= LEAST_WRONG_ANSWERS for count in planted.values()), planted


def test_no_answer_at_all_is_not_taken_for_a_mistake(entry: Entry) -> None:
    for exercise in entry.task.exercises:
        outcomes = [Outcome(case.name, error="RuntimeError", message="nobody plants this") for case in exercise.cases]
        report = report_on(exercise, exercise.cases, outcomes, read_mistakes(entry)[exercise.id])
        assert (report.state, report.mistake) == ("fails", "")
