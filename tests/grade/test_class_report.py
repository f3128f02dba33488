"""The class at a glance."""

from pathlib import Path

import pytest

from helpers.grade.class_report import common_mistakes, item_statistics, needs_look, write_class_report
from helpers.grade.marks import Mark, mark_all
from helpers.grade.rubric import Rubric
from tests.grade.builders import exercise, milestone, result


def marks(out: Path, *shares: tuple[float, float]) -> list[Mark]:
    results = [result(f"learner {n}", [exercise(0, a), exercise(1, b)]) for n, (a, b) in enumerate(shares)]
    return mark_all(out, results, Rubric())


def test_items_are_counted_averaged_and_compared_with_the_rest(tmp_path: Path) -> None:
    first, second = item_statistics(marks(tmp_path, (1, 1), (1, 1), (0.5, 0), (0, 0)))
    assert first.counts == {"passed": 2, "partial": 1, "failed": 1}
    assert first.mean == pytest.approx(0.625)
    assert first.separation == pytest.approx(0.9045, abs=1e-3)
    assert second.separation == pytest.approx(0.9045, abs=1e-3)


def test_an_item_that_all_hold_or_few_tried_separates_nobody(tmp_path: Path) -> None:
    first, _ = item_statistics(marks(tmp_path, (1, 1), (1, 0), (1, 1)))
    assert first.separation is None
    few, _ = item_statistics(marks(tmp_path, (1, 1), (0, 0)))
    assert few.separation is None


def test_what_nobody_could_have_has_no_mean(tmp_path: Path) -> None:
    absent = milestone(points=0.0, max_points=0.0, state="not-run")
    found = item_statistics(mark_all(tmp_path, [result("ada", [exercise(0), absent])], Rubric()))
    assert [one.mean for one in found] == [1.0, None]


def test_the_most_common_mistake_comes_first(tmp_path: Path) -> None:
    results = [
        result("ben", [exercise(0, 0.5, mistake="counts words")]),
        result("ada", [exercise(0, 0.5, mistake="counts words"), exercise(1, 0.5, mistake="forgets the first")]),
    ]
    assert common_mistakes(mark_all(tmp_path, results, Rubric())) == [
        ("ex1-ttft", "counts words", ["ada", "ben"]),
        ("ex2-output-tokens", "forgets the first", ["ada"]),
    ]


def test_only_what_needs_a_person_is_shown_to_one(tmp_path: Path) -> None:
    results = [
        result("a", outcome="ok"),
        result("b", outcome="error", reasons=("ex1-ttft: to do",)),
        result("c", outcome="tampered"),
        result("d", outcome="ok", reasons=("the cell setup was restored",)),
        result("e", outcome="engine-unavailable"),
        result("f", [exercise(0, 0.0, state="not-run")], outcome="error", reasons=("it is not a notebook",)),
        result("g", outcome="error", reasons=("ex1-ttft: to do", "the cell setup was restored")),
    ]
    assert [needs_look(mark) for mark in mark_all(tmp_path, results, Rubric())] == [False] * 2 + [True] * 5


def test_the_page_shows_totals_and_escapes_names(tmp_path: Path) -> None:
    found = mark_all(tmp_path, [result("<i>ada</i>"), result("ben", outcome="timeout")], Rubric())
    text = write_class_report(tmp_path, found).read_text()
    assert "2 learners, 2 submissions graded" in text
    assert "&lt;i&gt;ada" in text
    assert "<i>" not in text
    assert text.count(">timeout<") == 2
