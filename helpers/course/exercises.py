"""Judging an exercise: outcomes per case become a report with the likely mistake and a hint, never the solution.

`check` is what the labs call. `report_on` is the judge itself: a pure function of an exercise, cases and outcomes,
wherever those outcomes came from (this kernel, or the child of `helpers.course.judge`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from helpers.course.answers import Outcome, agree, answer, complaint
from helpers.course.catalogue import find_exercise
from helpers.course.judge import MISSING
from helpers.course.mistakes import Mistake, read_mistakes
from helpers.course.task import Case, Exercise
from helpers.errors import CheckFailed

TODO = "ExerciseTodo"

ExerciseState = Literal["holds", "fails", "to-do", "missing"]


class ExerciseTodo(CheckFailed):
    """A stub was called: this part of the lab is still to be written."""


class ExerciseFailed(CheckFailed):
    """An exercise's function does not give the expected answers."""


@dataclass(frozen=True, slots=True)
class ExerciseReport:
    """What holds and what does not in one exercise.

    Attributes:
        complaints: per case, in order, its name and why it does not hold; empty where it does.
        mistake: what the likely mistake is; empty if none of the known ones behaves like this.
        hint: what to think about; empty if everything holds.
    """

    exercise: str
    title: str
    state: ExerciseState
    complaints: tuple[tuple[str, str], ...]
    mistake: str = ""
    hint: str = ""

    @property
    def summary(self) -> str:
        """One line."""
        held = sum(not why for _, why in self.complaints)
        return {
            "holds": f"{self.exercise}: holds ({len(self.complaints)} cases)",
            "fails": f"{self.exercise}: {held} of {len(self.complaints)} cases hold",
            "to-do": f"{self.exercise}: to do ({self.title})",
            "missing": f"{self.exercise}: the function is not there ({self.complaints[0][1]})",
        }[self.state]

    def lines(self) -> list[str]:
        """The report as a learner reads it, without mistake and hint; each case only where one fails."""
        cases = [f"  {'fails' if why else 'holds'}  {case}{': ' if why else ''}{why}" for case, why in self.complaints]
        return [self.summary, *(cases if self.state == "fails" else [])]

    def __repr__(self) -> str:
        return "\n".join(self.lines())


def report_on(
    exercise: Exercise, cases: Sequence[Case], outcomes: Sequence[Outcome], mistakes: Sequence[Mistake] = ()
) -> ExerciseReport:
    """Judge the outcomes of cases, in the same order; a case without an outcome does not hold."""
    by_case = {outcome.case: outcome for outcome in outcomes}
    answered = [by_case.get(case.name, Outcome(case.name, error=MISSING, message="no answer")) for case in cases]
    complaints = tuple(
        (case.name, complaint(case, outcome, exercise)) for case, outcome in zip(cases, answered, strict=True)
    )
    failing = [(case, outcome) for case, outcome in zip(cases, answered, strict=True) if dict(complaints)[case.name]]
    if not failing:
        return ExerciseReport(exercise.id, exercise.title, "holds", complaints)
    if all(outcome.error == MISSING for outcome in answered):
        why = answered[0].message
        return ExerciseReport(exercise.id, exercise.title, "missing", tuple((case.name, why) for case in cases))
    if any(outcome.error == TODO for outcome in answered):
        return ExerciseReport(exercise.id, exercise.title, "to-do", complaints, hint=exercise.hint)
    return ExerciseReport(
        exercise.id,
        exercise.title,
        "fails",
        complaints,
        mistake=likely_mistake(exercise, cases, answered, mistakes),
        hint=failing[0][0].hint or exercise.hint,
    )


def likely_mistake(
    exercise: Exercise, cases: Sequence[Case], outcomes: Sequence[Outcome], mistakes: Sequence[Mistake]
) -> str:
    """The message of the planted wrong answer that behaved most like these outcomes.

    It must agree on at least one case that does not hold, and of several the one that agrees on most cases is
    taken, failing ones counting first; empty if there is none.
    """
    best, message = (0, 0), ""
    for mistake in mistakes:
        failing = holding = 0
        for case, outcome in zip(cases, outcomes, strict=True):
            planted = mistake.outcome(case.name)
            if planted is not None and agree(planted, outcome, exercise):
                failed = bool(complaint(case, outcome, exercise))
                failing += failed
                holding += not failed
        if failing and (failing, holding) > best:
            best, message = (failing, holding), mistake.message
    return message


def check(exercise_id: str, function: Callable[..., Any]) -> ExerciseReport:
    """Try your function on the exercise's visible cases.

    Args:
        exercise_id: for example `ex1-ttft`.
        function: what you wrote.

    Returns:
        The report, if every case holds; a notebook shows it when the call is the cell's last line.

    Raises:
        ExerciseTodo: the function is still the stub.
        ExerciseFailed: a case does not hold; the message has the cases, the likely mistake and a hint.
        UsageError: there is no such exercise.
    """
    entry, exercise = find_exercise(exercise_id)
    outcomes = [answer(function, case.name, case.inputs) for case in exercise.cases]
    report = report_on(exercise, exercise.cases, outcomes, read_mistakes(entry).get(exercise_id, ()))
    if report.state == "holds":
        return report
    if report.state == "to-do":
        raise ExerciseTodo(report.summary, "", report.hint)
    raise ExerciseFailed("\n".join(report.lines()), report.mistake, report.hint)
