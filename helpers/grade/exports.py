"""What an instructor takes away from a graded folder:

    OUT/grades.csv            one row per learner, task, and exercise or milestone
    OUT/totals.csv            one row per learner: points of each task, penalty, total
    OUT/nbgrader.csv          one row per learner and task, in the columns of nbgrader's own CSV export
    OUT/manual.csv            to be filled in, where the rubric has manual items
    OUT/feedback/LEARNER.html what the learner gets
    OUT/class.html            what the class shows

Written from results alone, so it can be done again at any time: after a rubric changed, or manual points came in.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from helpers.course.files import write_text
from helpers.grade.class_report import write_class_report
from helpers.grade.feedback import write_feedback
from helpers.grade.lateness import read_times
from helpers.grade.manual import FILE, merge_manual
from helpers.grade.marks import Mark, by_learner, mark_all
from helpers.grade.results import Result
from helpers.grade.rubric import read_rubric
from helpers.grade.tables import csv_text

GRADES = ("learner", "task", "item", "kind", "outcome", "state", "points", "max_points", "message", "mistake")

NBGRADER = (
    *("assignment", "duedate", "timestamp", "student_id", "last_name", "first_name", "email"),
    *("raw_score", "late_submission_penalty", "score", "max_score"),
)
"""The columns of nbgrader's CsvExportPlugin (nbgrader 0.9, nbgrader/plugins/export.py)."""


def write_outputs(
    out: Path, results: Iterable[Result], *, rubric: Path | None = None, submissions: Path | None = None
) -> Path:
    """Write everything above and return the class report.

    Args:
        out: the folder that holds units/.
        results: the grader's, one per learner and task.
        rubric: the rubric's file; None keeps the grader's own points.
        submissions: the folder that was graded, for nbgrader's time stamps.

    Raises:
        UsageError, MissingError: the rubric, or a file it names, cannot be used.
    """
    marks = mark_all(out, list(results), read_rubric(rubric), submissions)
    learners = by_learner(marks)
    write_text(out / "grades.csv", csv_text(GRADES, [row for mine in learners.values() for row in _grades(mine)]))
    write_text(out / "totals.csv", totals_csv(marks))
    write_text(
        out / "nbgrader.csv", csv_text(NBGRADER, [_nbgrader(mark) for mine in learners.values() for mark in mine])
    )
    written = {write_feedback(out, learner, mine) for learner, mine in learners.items()}
    for path in set((out / "feedback").glob("*.html")) - written:
        path.unlink()  # of who handed in nothing any more
    return write_class_report(out, marks)


def check_rubric(out: Path, rubric: Path | None) -> None:
    """Read the rubric and the files it names, before a night is spent on what they are for.

    Raises:
        UsageError, MissingError: one of them cannot be used.
    """
    rules = read_rubric(rubric)
    read_times(rules.late)
    if (out / FILE).exists():
        merge_manual(out, rules.manual, ())


def totals_csv(marks: Sequence[Mark]) -> str:
    """totals.csv: learner, a column per task (points before lateness), points, max_points, penalty, total."""
    tasks = sorted({mark.result.task for mark in marks})
    rows: list[Sequence[str | float]] = []
    for learner, mine in by_learner(marks).items():
        points = {mark.result.task: mark.points for mark in mine}
        sums = [sum(getattr(mark, name) for mark in mine) for name in ("points", "max_points", "penalty", "total")]
        rows.append([learner, *(points.get(task, "") for task in tasks), *sums])
    return csv_text(("learner", *tasks, "points", "max_points", "penalty", "total"), rows)


def _grades(marks: Sequence[Mark]) -> list[Sequence[str | float]]:
    return [
        (
            *(mark.result.learner, mark.result.task, item.id, item.kind, mark.result.outcome, item.state),
            *(item.points, item.max_points, item.message, item.mistake),
        )
        for mark in marks
        for item in mark.result.items
    ]


def _nbgrader(mark: Mark) -> Sequence[str | float]:
    late = mark.lateness
    due, at = (moment.isoformat() if moment else "" for moment in (late.due, late.handed_in))
    names = (mark.result.task, due, at, mark.result.learner, "", "", "")
    return (*names, mark.points, mark.penalty, mark.total, mark.max_points)
