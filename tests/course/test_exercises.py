import math
from typing import Any

import numpy as np
import pytest

from helpers.course import exercises
from helpers.course.answers import Outcome, answer, difference, plain
from helpers.course.catalogue import Entry, find_exercise
from helpers.course.exercises import ExerciseFailed, ExerciseTodo, check, report_on
from helpers.course.mistakes import read_mistakes
from helpers.course.task import Case, Exercise
from helpers.errors import UsageError

EXERCISE = Exercise("ex9-x", "x", "x", "think", (), relative_tolerance=1e-3)


@pytest.fixture
def here(sample: Entry, monkeypatch: pytest.MonkeyPatch) -> Entry:
    """`helpers.check` finds the sample task, as it does in the clone's own kernel."""
    monkeypatch.setattr(exercises, "find_exercise", lambda name: (sample, sample.exercise(name)))
    return sample


@pytest.mark.parametrize(
    ("expected", "actual", "found"),
    [
        (1.0, 1.0005, ""),
        (1.0, 1.01, "expected 1.0, got 1.01"),
        (0.2, 0.1 + 0.05, "expected 0.2, got 0.15"),
        (1, 1.0, ""),
        (0.0, 1e-12, ""),
        (1.0, math.nan, "expected 1.0, got nan"),
        (1, True, "expected 1, got True"),
        (True, 1, "expected True, got 1"),
        ("a", "b", "expected 'a', got 'b'"),
        (None, None, ""),
        ([1, [2, 3]], [1, [2, 4]], "item 1: item 1: expected 3, got 4"),
        ([1, 2], [1], "expected 2 items, got 1"),
        ((1, 2), [1, 2], ""),
        ({"a": 1}, {"a": 2}, "'a': expected 1, got 2"),
        ({"a": 1}, {}, "the key 'a' is missing"),
        ({}, {"a": 1}, "the key 'a' is not expected"),
        ({"a": 1}, [1], "expected {'a': 1}, got [1]"),
    ],
)
def test_a_difference_is_named_where_it_lies(expected: Any, actual: Any, found: str) -> None:
    assert difference(expected, actual, EXERCISE) == found


def test_a_number_beyond_all_floating_ones_differs_and_is_cut() -> None:
    assert difference(1.0, 10**400, EXERCISE) == f"expected 1.0, got 1{'0' * 115} ..."
    assert difference(10**400, 10**400, EXERCISE) == ""


def test_an_answer_that_holds_itself_is_refused() -> None:
    endless: list[Any] = []
    endless.append(endless)
    assert exercises.answer(lambda: endless, "one", {}).error == "WrongType"


def test_numpy_answers_are_plain_values_and_other_objects_are_refused() -> None:
    assert plain({"a": (np.float32(0.5), np.arange(3))}) == {"a": [0.5, [0, 1, 2]]}
    with pytest.raises(TypeError, match="set"):
        plain([{1}])
    with pytest.raises(TypeError, match="key 1"):
        plain({1: 2})


def test_an_object_equal_to_everything_is_refused() -> None:
    class Equal(float):
        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = None

    outcome = answer(lambda: Equal(3), "c", {})
    assert outcome.error == "WrongType"


def test_a_function_cannot_change_the_cases() -> None:
    inputs = {"x": [1, 2]}
    assert answer(lambda x: x.pop(), "c", inputs).value == 2
    assert inputs == {"x": [1, 2]}


def test_what_a_function_raises_is_its_answer() -> None:
    assert answer(lambda: 1 / 0, "c", {}) == Outcome("c", error="ZeroDivisionError", message="division by zero")
    assert answer(lambda: exit(0), "c", {}).error == "SystemExit"


def test_check_returns_a_report_when_everything_holds(here: Entry) -> None:
    report = check("ex1-ttft", lambda sent_s, chunk_s: chunk_s[0] - sent_s)
    assert repr(report) == "ex1-ttft: holds (2 cases)"


def test_check_names_the_mistake_and_hints_without_the_solution(here: Entry) -> None:
    with pytest.raises(ExerciseFailed) as raised:
        check("ex1-ttft", lambda sent_s, chunk_s: chunk_s[0])
    assert raised.value.what.splitlines() == [
        "ex1-ttft: 1 of 2 cases hold",
        "  holds  sent at zero",
        "  fails  sent later: expected 0.25, got 2.25",
    ]
    assert "You took the time stamp itself" in raised.value.cause
    assert raised.value.next_command == "The clock starts at sending."
    assert "chunk_s[0] - sent_s" not in str(raised.value)


def test_check_of_a_stub_is_to_do(here: Entry) -> None:
    def stub(**_: Any) -> float:
        raise ExerciseTodo("ex1-ttft: write it")

    with pytest.raises(ExerciseTodo, match=r"ex1-ttft: to do \(time to first token\)"):
        check("ex1-ttft", stub)


def test_an_unknown_exercise_is_wrong_use(sample: Entry) -> None:
    with pytest.raises(UsageError, match="ex99-nothing"):
        find_exercise("ex99-nothing", sample.root)


def test_an_unknown_mistake_gets_a_hint_and_no_invented_diagnosis(here: Entry) -> None:
    with pytest.raises(ExerciseFailed) as raised:
        check("ex1-ttft", lambda sent_s, chunk_s: -1.0)
    assert raised.value.cause == ""
    assert raised.value.next_command == "Which time stamp says that something arrived?"


def test_the_same_error_on_the_same_cases_is_the_same_mistake(here: Entry) -> None:
    def forgot_the_end(chunk_s: list[float]) -> list[float]:
        return [chunk_s[index + 1] - chunk_s[index] for index in range(99)]

    with pytest.raises(ExerciseFailed) as raised:
        check("ex2-gaps", forgot_the_end)
    assert "ran past the end" in raised.value.cause


def test_private_cases_are_judged_like_visible_ones(sample: Entry) -> None:
    private = (Case("private", {"sent_s": 5.0, "chunk_s": [6.0]}, 1.0),)
    report = report_on(sample.exercise("ex1-ttft"), private, [Outcome("private", 1.0)])
    assert report.state == "holds"
    mistakes = read_mistakes(sample)["ex1-ttft"]
    report = report_on(sample.exercise("ex1-ttft"), private, [Outcome("private", 6.0)], mistakes)
    assert (report.state, report.mistake) == ("fails", "")


def test_a_case_without_an_answer_does_not_hold(sample: Entry) -> None:
    exercise = sample.exercise("ex1-ttft")
    report = report_on(exercise, exercise.cases, [Outcome("sent at zero", 0.25)])
    assert report.state == "fails"
    assert dict(report.complaints)["sent later"] == "raised Missing: 'no answer'"
