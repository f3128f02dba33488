"""Private inputs of every lab, judged exercise by exercise without a kernel, and the files they are kept in."""

import dataclasses
import random
import stat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from helpers.course.answers import Outcome
from helpers.course.catalogue import Entry, find_tasks
from helpers.course.definitions import read_definitions
from helpers.course.exercises import report_on
from helpers.course.judge import Job, Source, ask
from helpers.course.mistakes import read_wrong_answers
from helpers.course.task import Case, Exercise
from helpers.errors import CheckFailed, MissingError, UsageError
from helpers.grade import private
from helpers.grade.private import draw_cases, known_cases, load_cases, read_draws, write_cases

TASKS = [entry for entry in find_tasks() if entry.task.exercises]
SHORTEST = min(TASKS, key=lambda entry: len(entry.task.exercises))
ONLY_ANSWER = ("ex12-still-builds", "ex4-honesty")
"""Exercises with a mistake that shows on one input alone, which is visible."""

DOUBLE = Exercise("ex1-double", "double", "double", "think", (Case("two", {"x": 2}, 4),))


@pytest.fixture(scope="module", params=TASKS, ids=lambda entry: entry.stem)
def drawn(request: pytest.FixtureRequest) -> tuple[Entry, dict[str, tuple[Case, ...]]]:
    return request.param, draw_cases(request.param, seed=7)


def test_every_exercise_has_private_cases_that_are_not_visible(
    drawn: tuple[Entry, dict[str, tuple[Case, ...]]],
) -> None:
    entry, cases = drawn
    assert set(cases) == {exercise.id for exercise in entry.task.exercises}
    for exercise in entry.task.exercises:
        assert len(cases[exercise.id]) >= 5, exercise.id
        visible = [case.inputs for case in exercise.cases]
        seen = [case for case in cases[exercise.id] if case.inputs in visible]
        assert len(seen) <= (1 if exercise.id in ONLY_ANSWER else 0), exercise.id


def test_solutions_hold_and_stubs_and_planted_answers_do_not(
    drawn: tuple[Entry, dict[str, tuple[Case, ...]]],
) -> None:
    entry, cases = drawn
    planted = read_wrong_answers(entry)
    for exercise in entry.task.exercises:
        assert sum(wrong.exercise == exercise.id for wrong in planted) >= 3, exercise.id
    jobs = [
        Job(read_definitions(entry.notebook(view)), exercise.function, cases[exercise.id])
        for view in ("solutions", "labs")
        for exercise in entry.task.exercises
    ] + [
        Job([Source("wrong", wrong.source)], entry.exercise(wrong.exercise).function, cases[wrong.exercise])
        for wrong in planted
    ]
    asked = [*entry.task.exercises, *entry.task.exercises, *(entry.exercise(wrong.exercise) for wrong in planted)]
    expected = ["holds"] * len(entry.task.exercises) + ["to-do"] * len(entry.task.exercises) + ["fails"] * len(planted)
    for exercise, state, outcomes in zip(asked, expected, ask(jobs, 60), strict=True):
        assert report_on(exercise, cases[exercise.id], outcomes).state == state, exercise.id


def test_a_seed_gives_the_same_cases_and_another_seed_others() -> None:
    entry = SHORTEST
    draw = next(iter(read_draws(entry).values()))
    assert draw(random.Random("3/x")) == draw(random.Random("3/x"))
    assert draw(random.Random("3/x")) != draw(random.Random("4/x"))
    assert draw_cases(entry, seed=3) == draw_cases(entry, seed=3)


def test_what_is_written_is_read_and_only_the_owner_may_enter(tmp_path: Path) -> None:
    entry = SHORTEST
    (path,) = write_cases(tmp_path / "private", [entry], seed=3)
    cases = load_cases(path.parent, entry.stem)
    assert [(case.name, case.expected) for case in cases[SHORTEST.task.exercises[0].id]] == [
        (case.name, case.expected) for case in draw_cases(entry, seed=3)[SHORTEST.task.exercises[0].id]
    ]
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_missing_or_damaged_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="01_x"):
        load_cases(tmp_path, "01_x")
    for text in ("{", "[]", '{"exercises": {"ex1-a": [{"name": "n"}]}}'):
        (tmp_path / "01_x.json").write_text(text)
        with pytest.raises(UsageError, match="holds no private cases"):
            load_cases(tmp_path, "01_x")


def test_whoever_names_no_folder_gets_cases_of_a_known_seed_until_something_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path))
    folder = known_cases([SHORTEST])
    assert folder is not None
    assert tmp_path in folder.parents
    before = (folder / f"{SHORTEST.stem}.json").stat().st_mtime_ns
    assert known_cases([SHORTEST]) == folder
    assert (folder / f"{SHORTEST.stem}.json").stat().st_mtime_ns == before
    assert load_cases(folder, SHORTEST.stem) == load_cases(folder, SHORTEST.stem)
    assert known_cases([dataclasses.replace(SHORTEST, root=tmp_path)]) is None


def answers(values: list[Any]) -> list[Outcome]:
    return [Outcome(f"private {number}", value) for number, value in enumerate(values, start=1)]


def candidates(inputs: list[int]) -> list[Case]:
    return [Case(f"private {number}", {"x": value}, None) for number, value in enumerate(inputs, start=1)]


def test_cases_that_tell_a_mistake_are_kept_before_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(private, "KEPT", 3)
    squares = SimpleNamespace(name="squares")
    kept = private._kept(
        DOUBLE,
        candidates([0, 2, 0, 5, 7, 2]),
        answers([0, 4, 0, 10, 14, 4]),
        [(squares, answers([0, 4, 0, 25, 49, 4]))],
    )
    assert [(case.inputs["x"], case.expected) for case in kept] == [(0, 0), (5, 10), (7, 14)]


def test_a_visible_case_is_kept_only_where_no_drawn_one_tells_a_mistake() -> None:
    triples = SimpleNamespace(name="triples")
    kept = private._kept(DOUBLE, candidates([0, 2]), answers([0, 4]), [(triples, answers([0, 6]))])
    assert [case.inputs["x"] for case in kept] == [0, 2]


def test_a_mistake_that_no_draw_tells_and_a_solution_that_raises_are_errors() -> None:
    squares = SimpleNamespace(name="squares")
    with pytest.raises(CheckFailed, match="squares"):
        private._kept(DOUBLE, candidates([0, 2]), answers([0, 4]), [(squares, answers([0, 4]))])
    with pytest.raises(CheckFailed, match="ValueError"):
        private._kept(DOUBLE, candidates([0]), [Outcome("private 1", error="ValueError")], [])


def test_visible_and_repeated_inputs_are_not_drawn() -> None:
    found = private._candidates(DOUBLE, lambda rng: {"x": rng.randint(1, 4)}, random.Random(0))
    assert sorted(case.inputs["x"] for case in found[:-1]) == [1, 3, 4]
    assert found[-1].inputs == {"x": 2}
