"""The rubric over results: points, bands, manual columns, lateness."""

import json
import os
from pathlib import Path

import pytest

from helpers.course.milestones import evidence_path
from helpers.errors import MissingError, UsageError
from helpers.grade import marks as marks_module
from helpers.grade.marks import by_learner, mark_all
from helpers.grade.results import Result, unit_folder
from helpers.grade.rubric import Rubric, read_rubric
from tests.grade.builders import ENTRY, STEM, exercise, milestone, result

MILESTONE = ENTRY.task.milestones[0].id
FIRST, SECOND = ENTRY.task.exercises[0].id, ENTRY.task.exercises[1].id
LATE = f"[late]\nshare_per_day = 0.1\nmost = 0.25\ngrace_minutes = 15\n[late.due]\n{STEM} = 2027-03-01T23:59:00+01:00\n"


def rubric(tmp_path: Path, text: str) -> Rubric:
    path = tmp_path / "rubric.toml"
    path.write_text(text)
    return read_rubric(path)


def points(out: Path, one: Result, rules: Rubric) -> dict[str, tuple[float, float]]:
    (mark,) = mark_all(out, [one], rules)
    return {item.id: (item.points, item.max_points) for item in mark.result.items}


def test_without_a_rubric_the_graders_points_stand(tmp_path: Path) -> None:
    (mark,) = mark_all(tmp_path, [result("ada")], Rubric())
    assert (mark.points, mark.max_points, mark.penalty, mark.total) == (2.5, 3.0, 0.0, 2.5)


def test_points_by_id_go_before_points_by_kind(tmp_path: Path) -> None:
    rules = rubric(tmp_path, f'[points]\nexercise = 2\n"{SECOND}" = 8\n"{MILESTONE}" = 0\n')
    assert points(tmp_path, result("ada"), rules) == {FIRST: (2.0, 2.0), SECOND: (4.0, 8.0), MILESTONE: (0.0, 0.0)}


def test_steps_replace_the_share_of_cases(tmp_path: Path) -> None:
    rules = rubric(tmp_path, "[partial]\nsteps = [[0.75, 0.6], [0.5, 0.3]]\n")
    one = result("ada", [exercise(0, 0.8), exercise(1, 0.5), exercise(2, 0.4), exercise(3), exercise(4, 0.0)])
    assert [earned for earned, _ in points(tmp_path, one, rules).values()] == [0.6, 0.3, 0.0, 1.0, 0.0]


def test_what_could_not_be_run_costs_nothing_whatever_the_rubric_says(tmp_path: Path) -> None:
    rules = rubric(tmp_path, "[points]\nmilestone = 5\n")
    absent = milestone(points=0.0, max_points=0.0, state="not-run")
    assert points(tmp_path, result("ada", [absent]), rules) == {MILESTONE: (0.0, 0.0)}


@pytest.mark.parametrize(
    ("value", "earned"), [(1.5, 4.0), (1.3, 4.0), (1.2, 2.0), (0.9, 0.0), ("fast", 0.0), (True, 0.0)]
)
def test_a_band_counts_the_judges_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: object, earned: float
) -> None:
    monkeypatch.setattr(marks_module, "_numbers", lambda out, result, item: {"gain": value})
    rules = rubric(
        tmp_path,
        f'[points]\nmilestone = 4\n[[band]]\nmilestone = "{MILESTONE}"\n'
        'number = "gain"\nsteps = [[1.3, 1], [1.1, 0.5]]\n',
    )
    assert points(tmp_path, result("ada", [milestone()]), rules) == {MILESTONE: (earned, 4.0)}
    missed = milestone(points=0.0, state="not-reached")
    assert points(tmp_path, result("ada", [missed]), rules) == {MILESTONE: (0.0, 4.0)}


def test_a_number_may_lie_in_a_list_or_a_table() -> None:
    numbers = {"gain": [1.4, 1.2, 1.6], "rates": {"16": 900.0}}
    found = [marks_module._number(numbers, path) for path in ("gain.0", "rates.16", "gain.3", "gain.x", "none.0")]
    assert found == [1.4, 900.0, None, None, None]


def test_smaller_may_be_better(tmp_path: Path) -> None:
    (band,) = rubric(
        tmp_path, f'[[band]]\nmilestone = "{MILESTONE}"\nnumber = "s"\nat_most = true\nsteps = [[1, 1], [2, 0.5]]'
    ).bands
    assert [band.share(value) for value in (0.5, 1.0, 1.5, 3.0)] == [1.0, 1.0, 0.5, 0.0]


def test_numbers_come_from_the_evidence_that_the_unit_keeps(tmp_path: Path) -> None:
    folder = unit_folder(tmp_path, "ada", STEM) / "run"
    path = evidence_path(folder, MILESTONE)
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"milestone": MILESTONE, "evidence": {"rows": []}, "backend": ""}))
    item = milestone(evidence=f"run/evidence/{MILESTONE}.json")
    verdict = marks_module.judge_folder(ENTRY, ENTRY.milestone(MILESTONE), folder)
    assert marks_module._numbers(tmp_path, result("ada", [item]), item) == verdict.numbers


MANUAL = f'[[manual]]\nid = "12.1.talk"\ntask = "{STEM}"\ntitle = "talk"\nmax_points = 4\n'


def test_manual_columns_are_asked_for_then_merged_and_never_overwritten(tmp_path: Path) -> None:
    rules = rubric(tmp_path, MANUAL)
    (mark,) = mark_all(tmp_path, [result("ada")], rules)
    assert (mark.result.items[-1].state, mark.max_points) == ("not-run", 3.0)
    path = tmp_path / "manual.csv"
    assert path.read_text() == "learner,12.1.talk,12.1.talk comment\nada,,\n"
    path.write_text("\ufefflearner;12.1.talk;12.1.talk comment;mine\nada;2,5;clear;kept\n")
    ben, ada = mark_all(tmp_path, [result("ada"), result("=ben")], rules)
    assert ada.result.items[-1] == ada.result.items[-1].__class__(
        "12.1.talk", "manual", "talk", 2.5, 4.0, "partial", "clear"
    )
    assert (ada.points, ada.max_points, ben.max_points) == (5.0, 7.0, 3.0)
    assert path.read_text().splitlines()[1:] == ['ada,"2,5",clear,kept', "'=ben,,,"]
    assert len(mark_all(tmp_path, [result("ada"), result("=ben")], rules)) == 2
    assert len(path.read_text().splitlines()) == 3


@pytest.mark.parametrize("cell", ["5", "-1", "good", "nan"])
def test_manual_points_out_of_range_are_refused(tmp_path: Path, cell: str) -> None:
    (tmp_path / "manual.csv").write_text(f"learner,12.1.talk\nada,{cell}\n")
    with pytest.raises(UsageError, match="of ada is"):
        mark_all(tmp_path, [result("ada")], rubric(tmp_path, MANUAL))


@pytest.mark.parametrize(
    ("at", "days", "share"),
    [
        ("2027-03-01 23:00", 0, 0.0),
        ("2027-03-02 00:13", 0, 0.0),
        ("2027-03-02 00:15", 1, 0.1),
        ("2027-03-02T22:58:00+00:00", 1, 0.1),
        ("2027-03-02T23:00:00+00:00", 2, 0.2),
        ("2027-04-01 12:00", 31, 0.25),
    ],
)
def test_each_begun_day_costs_up_to_the_most(tmp_path: Path, at: str, days: int, share: float) -> None:
    (tmp_path / "times.csv").write_text(f"learner,task,at\nada,{STEM},{at}\n")
    rules = rubric(tmp_path, LATE.replace("[late]", '[late]\nhanded_in = "times.csv"'))
    (mark,) = mark_all(tmp_path, [result("ada")], rules)
    assert (mark.lateness.days, mark.lateness.share) == (days, pytest.approx(share))
    assert mark.total == pytest.approx(2.5 * (1 - share))


def test_times_may_name_a_task_in_any_of_its_ways_and_none_that_is_not_there(tmp_path: Path) -> None:
    rules = rubric(tmp_path, LATE.replace("[late]", '[late]\nhanded_in = "times.csv"'))
    for name, days in (("12.1", 1), ("1", 1)):
        (tmp_path / "times.csv").write_text(f"learner,task,at\nada,{name},2027-03-02 12:00\n")
        (mark,) = mark_all(tmp_path, [result("ada")], rules)
        assert mark.lateness.days == days
    (tmp_path / "times.csv").write_text("learner,task,at\nada,12.11,2027-03-02 12:00\n")
    with pytest.raises(UsageError, match=r"line 2: there is no task '12.11'"):
        mark_all(tmp_path, [result("ada")], rules)


def test_an_extension_moves_the_due_time_of_one_learner(tmp_path: Path) -> None:
    (tmp_path / "times.csv").write_text(f"learner,task,at\nada,{STEM},2027-03-03 12:00\nben,{STEM},2027-03-03 12:00\n")
    text = LATE.replace("[late]", '[late]\nhanded_in = "times.csv"')
    rules = rubric(tmp_path, text + '[[late.extension]]\nlearner = "ada"\ndays = 2\n')
    marks = mark_all(tmp_path, [result("ada"), result("ben")], rules)
    assert [mark.lateness.days for mark in marks] == [0, 2]


@pytest.mark.parametrize(
    ("stamp", "days"),
    [
        ("2027-03-02 22:58:23.948203 UTC", 1),
        ("2027-03-01 20:00:00 UTC", 0),
        ("soon", 0),
        ("2027-03-09 1:0 Nowhere/X", 0),
    ],
)
def test_nbgraders_time_stamp_counts_where_no_file_does(tmp_path: Path, stamp: str, days: int) -> None:
    submissions = tmp_path / "submitted"
    (submissions / "ada").mkdir(parents=True)
    (submissions / "ada" / "timestamp.txt").write_text(stamp)
    (mark,) = mark_all(tmp_path, [result("ada")], rubric(tmp_path, LATE), submissions)
    assert mark.lateness.days == days


def test_a_time_stamp_is_found_beside_a_notebook_with_a_bundle_and_a_pipe_is_none(tmp_path: Path) -> None:
    submissions = tmp_path / "submitted"
    (submissions / "ada and ben").mkdir(parents=True)
    (submissions / "ada and ben" / "timestamp.txt").write_text("2027-03-02 22:58:23 UTC")
    (submissions / "eve").mkdir()
    os.mkfifo(submissions / "eve" / "timestamp.txt")
    one = result("ada and ben", source=f"ada and ben/{STEM}.ipynb and ada and ben/run")
    marks = mark_all(tmp_path, [one, result("eve")], rubric(tmp_path, LATE), submissions)
    assert [mark.lateness.days for mark in marks] == [1, 0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[pints]\n", "'pints' means nothing"),
        ('[points]\n"ex99-none" = 1\n', "ex99-none"),
        ("[points]\nexercise = -1\n", "no amount"),
        ("[partial]\nsteps = [[0.5, 2]]\n", "between 0 and 1"),
        ('[[band]]\nmilestone = "no"\nnumber = "x"\nsteps = []\n', "no milestone 'no'"),
        (f'[[band]]\nmilestone = "{MILESTONE}"\nnumber = "x"\nsteps = [[1, 0.5], [2, 1]]\n', "best value to the worst"),
        (MANUAL + MANUAL, "used twice"),
        ('[[late.extension]]\nlearner = "ada"\ntask = "1"\ndays = 2\n', "no task '1'"),
        (f"[late.due]\n{STEM} = 2027-03-01T10:00:00\n", "zone"),
        ("[late.due]\n99_no = 2027-03-01T10:00:00Z\n", "no task '99_no'"),
        ("points = [", "rubric.toml"),
    ],
)
def test_what_a_rubric_cannot_mean_is_told(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        rubric(tmp_path, text)


def test_files_that_are_not_there_are_told(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="cannot read"):
        read_rubric(tmp_path / "none.toml")
    with pytest.raises(MissingError, match="cannot read"):
        mark_all(tmp_path, [result("ada")], rubric(tmp_path, '[late]\nhanded_in = "times.csv"\n'))
    (tmp_path / "times.csv").write_text(f"learner,task,at\nada,{STEM},yesterday\n")
    with pytest.raises(UsageError, match="line 2"):
        mark_all(tmp_path, [result("ada")], rubric(tmp_path, '[late]\nhanded_in = "times.csv"\n'))


def test_learners_are_in_order_of_name(tmp_path: Path) -> None:
    marks = mark_all(tmp_path, [result("ben"), result("Ada"), result("ada")], Rubric())
    assert list(by_learner(marks)) == ["Ada", "ada", "ben"]
