"""Planted wrong answers, and what they return: how a learner's mistake gets its name.

`content/NN_stem/wrong/EXERCISE--MISTAKE.py` holds one wrong answer each; its docstring is the diagnosis. The build
runs them on the visible cases and writes their outcomes to `mistakes.json`, so that a diagnosis needs no wrong answer
at hand: the learners' hand-out has the outcomes only.
"""

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from helpers.course.answers import Outcome
from helpers.course.catalogue import Entry
from helpers.course.files import read_json
from helpers.course.judge import DIED, MISSING, TIMEOUT, Job, Source, ask
from helpers.errors import UsageError

SIGNIFICANT_DIGITS = 9
"""Kept of a planted answer's numbers: more would differ between processors, and tolerances are wider."""

TIME_LIMIT_S = 30.0
"""For one planted answer; only a hang reaches it."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """A known mistake: its name, what to tell the learner, and what it returns on each visible case."""

    name: str
    message: str
    outcomes: tuple[Outcome, ...]

    def outcome(self, case: str) -> Outcome | None:
        """What this mistake returns on a case; None if the case is not among the visible ones."""
        return next((outcome for outcome in self.outcomes if outcome.case == case), None)


@dataclass(frozen=True, slots=True)
class WrongAnswer:
    """A planted wrong answer's file, read."""

    exercise: str
    name: str
    message: str
    source: str
    path: Path


def read_wrong_answers(entry: Entry) -> list[WrongAnswer]:
    """All planted wrong answers of a task, by file name.

    Raises:
        UsageError: a file's name or docstring is not as content/README.md says.
    """
    found = []
    for path in sorted((entry.content / "wrong").glob("*.py")):
        exercise, separator, name = path.stem.partition("--")
        source = path.read_text(encoding="utf-8")
        message = " ".join((ast.get_docstring(ast.parse(source)) or "").split())
        if not separator or exercise not in [known.id for known in entry.task.exercises]:
            raise UsageError(f"{path}: the name must be EXERCISE--MISTAKE.py with an exercise of this task")
        if not message:
            raise UsageError(f"{path}: the docstring is missing; learners read it as the diagnosis")
        found.append(WrongAnswer(exercise, name, message, source, path))
    return found


def run_wrong_answers(entry: Entry) -> list[tuple[WrongAnswer, Mistake]]:
    """Run the planted wrong answers of a task on the visible cases of their exercises, in a child.

    Raises:
        UsageError: one gave no answer, so there is no behaviour to recognise.
    """
    planted = read_wrong_answers(entry)
    exercises = [entry.exercise(wrong.exercise) for wrong in planted]
    jobs = [
        Job([Source(wrong.path.name, wrong.source)], exercise.function, exercise.cases)
        for wrong, exercise in zip(planted, exercises, strict=True)
    ]
    return [
        (wrong, Mistake(wrong.name, wrong.message, tuple(_kept(outcome, wrong) for outcome in outcomes)))
        for wrong, outcomes in zip(planted, ask(jobs, TIME_LIMIT_S), strict=True)
    ]


def mistakes_json(entry: Entry) -> dict[str, Any]:
    """The content of mistakes.json: exercise -> list of {name, message, outcomes}."""
    content: dict[str, Any] = {exercise.id: [] for exercise in entry.task.exercises}
    for wrong, mistake in run_wrong_answers(entry):
        content[wrong.exercise].append(
            {
                "name": mistake.name,
                "message": mistake.message,
                "outcomes": {
                    outcome.case: {"error": outcome.error} if outcome.error else {"value": outcome.value}
                    for outcome in mistake.outcomes
                },
            }
        )
    return content


def read_mistakes(entry: Entry) -> Mapping[str, Sequence[Mistake]]:
    """The known mistakes of each exercise, from mistakes.json; empty if it was never built."""
    content = read_json(entry.content / "mistakes.json") or {}
    return {
        exercise: [
            Mistake(
                item["name"],
                item["message"],
                tuple(Outcome(case, **outcome) for case, outcome in item["outcomes"].items()),
            )
            for item in items
        ]
        for exercise, items in content.items()
    }


def _kept(outcome: Outcome, wrong: WrongAnswer) -> Outcome:
    if outcome.error in (TIMEOUT, DIED, MISSING):
        raise UsageError(f"{wrong.path}: {outcome.error} on the case {outcome.case!r}: {outcome.message}")
    return Outcome(outcome.case, _rounded(outcome.value), outcome.error)


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.{SIGNIFICANT_DIGITS}g}")
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return value
