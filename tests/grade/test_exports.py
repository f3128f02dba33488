"""The tables: one row each, formulas disarmed, the same results the same bytes."""

import csv
from pathlib import Path

import pytest

from helpers.errors import UsageError
from helpers.grade.exports import GRADES, NBGRADER, check_rubric, write_outputs
from helpers.grade.grading import GradeOptions, grade
from helpers.grade.tables import guard, unguard
from tests.grade.builders import STEM, exercise, keep, result


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_every_item_has_a_row_and_every_learner_a_total(tmp_path: Path) -> None:
    one = result("ben", [exercise(0, 1 / 3, message="1 of 3\nhold", mistake="You counted.")], outcome="error")
    write_outputs(tmp_path, keep(tmp_path, one, result("ada"), result("ada", task="02_vllm_continuous_batching")))
    grades = rows(tmp_path / "grades.csv")
    assert tuple(grades[0]) == GRADES
    assert [row["learner"] for row in grades] == ["ada"] * 6 + ["ben"]
    assert grades[-1] == dict(
        zip(
            GRADES,
            ("ben", STEM, "ex1-ttft", "exercise", "error", "partial", "0.3333", "1", "1 of 3 hold", "You counted."),
            strict=True,
        )
    )
    assert rows(tmp_path / "totals.csv") == [
        {
            "learner": "ada",
            STEM: "2.5",
            "02_vllm_continuous_batching": "2.5",
            "points": "5",
            "max_points": "6",
            "penalty": "0",
            "total": "5",
        },
        {
            "learner": "ben",
            STEM: "0.3333",
            "02_vllm_continuous_batching": "",
            "points": "0.3333",
            "max_points": "1",
            "penalty": "0",
            "total": "0.3333",
        },
    ]


def test_nbgraders_form_has_its_columns_and_the_penalty(tmp_path: Path) -> None:
    rubric = tmp_path / "rubric.toml"
    rubric.write_text(f'[late]\nhanded_in = "times.csv"\n[late.due]\n{STEM} = 2027-03-01T23:59:00Z\n')
    (tmp_path / "times.csv").write_text(f"learner,task,at\nada,{STEM},2027-03-02 12:00\n")
    write_outputs(tmp_path, keep(tmp_path, result("ada")), rubric=rubric)
    (row,) = rows(tmp_path / "nbgrader.csv")
    assert tuple(row) == NBGRADER
    assert [row[name] for name in ("assignment", "timestamp", "student_id")] == [
        STEM,
        "2027-03-02T12:00:00+00:00",
        "ada",
    ]
    assert [row[name] for name in NBGRADER[-4:]] == ["2.5", "0.25", "2.25", "3"]


def test_names_that_a_spreadsheet_would_run_are_disarmed_and_come_back(tmp_path: Path) -> None:
    name = '=HYPERLINK("x")'
    write_outputs(tmp_path, keep(tmp_path, result(name)))
    assert rows(tmp_path / "totals.csv")[0]["learner"] == "'" + name
    assert [unguard(guard(text)) for text in (name, "ada", "'tis", "+1")] == [name, "ada", "'tis", "+1"]


def test_the_same_results_give_the_same_bytes_whatever_their_order(tmp_path: Path) -> None:
    results = [result("ben"), result("Åsa"), result("ada")]
    for folder, order in ((tmp_path / "a", results), (tmp_path / "b", results[::-1])):
        write_outputs(folder, keep(folder, *order))
    for name in ("grades.csv", "totals.csv", "nbgrader.csv", "class.html", "feedback/Åsa.html"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name


def test_who_handed_in_nothing_any_more_has_no_page(tmp_path: Path) -> None:
    ada, ben = result("ada"), result("ben")
    write_outputs(tmp_path, keep(tmp_path, ada, ben))
    write_outputs(tmp_path, [ada])
    assert [path.name for path in (tmp_path / "feedback").iterdir()] == ["ada.html"]


def test_nothing_graded_gives_empty_tables(tmp_path: Path) -> None:
    write_outputs(tmp_path, [])
    assert rows(tmp_path / "grades.csv") == []
    assert "0 learners" in (tmp_path / "class.html").read_text()


def test_a_rubric_that_cannot_be_used_is_told_before_anything_is_graded(tmp_path: Path) -> None:
    (tmp_path / "rubric.toml").write_text("[pints]\n")
    (tmp_path / "submissions").mkdir()
    options = GradeOptions(rubric=tmp_path / "rubric.toml")
    with pytest.raises(UsageError, match="'pints' means nothing"):
        grade(tmp_path / "submissions", tmp_path / "out", options)
    manual = f'[[manual]]\nid = "talk"\ntask = "{STEM}"\ntitle = "talk"\nmax_points = 4\n'
    (tmp_path / "rubric.toml").write_text(manual)
    check_rubric(tmp_path, tmp_path / "rubric.toml")
    (tmp_path / "manual.csv").write_text("learner,talk\nada,5\n")
    with pytest.raises(UsageError, match="talk of ada"):
        check_rubric(tmp_path, tmp_path / "rubric.toml")
