"""A learner's page."""

from pathlib import Path

import pytest

from helpers.grade.feedback import write_feedback
from helpers.grade.marks import mark_all
from helpers.grade.pages import OUTCOME_WORDS, points
from helpers.grade.results import Result
from helpers.grade.rubric import Rubric
from tests.grade.builders import exercise, milestone, result, write_notebook


def page(out: Path, *results: Result) -> str:
    return write_feedback(out, results[0].learner, mark_all(out, results, Rubric())).read_text()


def test_it_says_what_holds_the_likely_mistake_and_what_is_next(tmp_path: Path) -> None:
    missed = exercise(1, 0.5, message="2 of 4 cases hold", mistake="You counted chunks.", hint="Who knows the count?")
    text = page(tmp_path, result("ada", [exercise(0), missed, milestone()]))
    assert "2.5 of 3 points" in text
    assert "1 of 2 exercises hold, 1 of 1 milestones reached." in text
    assert "You counted chunks." in text
    assert text.count("Who knows the count?") == 1
    assert "./course check 1" in text


def test_what_a_learner_wrote_is_text_and_no_markup(tmp_path: Path) -> None:
    text = page(tmp_path, result("<b>ada</b>", [exercise(0, 0.0, message="got '<script>alert(1)</script>'")]))
    assert "<script>" not in text
    assert "<b>ada" not in text


def test_the_executed_notebook_is_linked_whatever_the_name(tmp_path: Path) -> None:
    assert "Your notebook as it ran here" not in page(tmp_path, result("Ñ 100%"))
    write_notebook(tmp_path, "Ñ 100%", {})
    assert 'href="../units/%C3%91%20100%25/01_engine_benchmark/executed.ipynb"' in page(tmp_path, result("Ñ 100%"))


@pytest.mark.parametrize("outcome", OUTCOME_WORDS)
def test_every_outcome_has_its_sentence(tmp_path: Path, outcome: str) -> None:
    text = page(tmp_path, result("ada", outcome=outcome, reasons=("the cell setup was restored",)))
    assert OUTCOME_WORDS[outcome].replace("'", "&#39;") in text
    assert "the cell setup was restored" in text


def test_what_could_not_be_run_is_not_counted(tmp_path: Path) -> None:
    absent = milestone(points=0.0, max_points=0.0, state="not-run", message="needs an NVIDIA GPU")
    text = page(tmp_path, result("ada", [exercise(0), absent]))
    assert "1 of 1 points" in text
    assert "not counted" in text
    assert "needs an NVIDIA GPU" in text


def test_points_are_written_as_people_write_them() -> None:
    assert [points(value) for value in (3.0, 2.5, 1 / 3, 0.0, 10.0)] == ["3", "2.5", "0.33", "0", "10"]
