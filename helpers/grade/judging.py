"""Exercises judged outside the notebook's kernel: its definitions go into a jailed child, JSON comes back.

With private cases a learner's points come from those alone: what was fitted to the visible cases earns nothing. The
visible ones, asked in another child, give the diagnosis; a private input or its answer never gets into a message.
Points for a part are given only beyond what an answer gets that is always the same.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from helpers.course.answers import Outcome, complaint
from helpers.course.catalogue import Entry
from helpers.course.definitions import read_definitions
from helpers.course.exercises import ExerciseReport, report_on
from helpers.course.judge import DIED, TIMEOUT, Job, ask
from helpers.course.mistakes import read_mistakes
from helpers.course.task import Case, Exercise
from helpers.grade.jail import Jail
from helpers.grade.results import Item, ItemState

MAX_POINTS = 1.0
"""Of each exercise and milestone; a rubric gives them other weights."""

Private = Mapping[str, Sequence[Case]]


def exercise_items(entry: Entry, notebook: Path, private: Private, jail: Jail, time_limit_s: float) -> list[Item]:
    """Judge every exercise of a task.

    Args:
        entry: the task.
        notebook: the sanitised notebook.
        private: exercise id -> private cases; the visible cases count where there are none.
        jail: where the learner's functions run.
        time_limit_s: for all cases of one exercise.
    """
    sources = read_definitions(notebook)
    exercises = entry.task.exercises
    mistakes = read_mistakes(entry)
    visible = ask([Job(sources, one.function, one.cases) for one in exercises], time_limit_s, jail.command)
    # What hung or died on a visible case would only do it again.
    hidden = [one for one, seen in zip(exercises, visible, strict=True) if private.get(one.id) and not _broke(seen)]
    jobs = [Job(sources, one.function, _numbered(private[one.id])) for one in hidden]
    answers = dict(zip([one.id for one in hidden], ask(jobs, time_limit_s, jail.command), strict=True))
    items = []
    for exercise, seen in zip(exercises, visible, strict=True):
        report = report_on(exercise, exercise.cases, seen, mistakes.get(exercise.id, ()))
        cases = _numbered(private.get(exercise.id, ()))
        found = answers.get(exercise.id, [Outcome(case.name, error=DIED) for case in cases])
        items.append(_item(exercise, report, cases, found) if cases else _visible_item(exercise, report, seen))
    return items


def not_judged(entry: Entry, why: str) -> list[Item]:
    """The items of a unit of which nothing may be opened: no points, and why."""
    exercises = [
        Item(one.id, "exercise", one.title, 0.0, MAX_POINTS, "not-run", why, evidence="nothing was run")
        for one in entry.task.exercises
    ]
    milestones = [
        Item(one.id, "milestone", one.title, 0.0, MAX_POINTS, "not-reached", why, evidence="nothing was run")
        for one in entry.task.milestones
    ]
    return [*exercises, *milestones]


def share_earned(cases: Sequence[Case], held: Sequence[bool]) -> float:
    """The share of the points, from 0 to 1, that an answer to these cases has earned.

    A function that always returns the same would hold as many cases as have that answer; only what lies beyond counts.
    """
    if all(held):
        return 1.0
    same = Counter(json.dumps(case.expected, sort_keys=True, default=str) for case in cases)
    given = max(same.values(), default=0)
    beyond = len(cases) - given
    return max(0.0, (sum(held) - given) / beyond) if beyond else 0.0


def _item(exercise: Exercise, report: ExerciseReport, cases: Sequence[Case], outcomes: Sequence[Outcome]) -> Item:
    """Points by the private cases, words by the visible ones."""
    held = [not complaint(case, outcome, exercise) for case, outcome in zip(cases, outcomes, strict=True)]
    evidence = f"{sum(held)} of {len(held)} private cases hold"
    if report.state == "holds" and not all(held):
        share = share_earned(cases, held)
        message = f"every visible case holds, but {len(held) - sum(held)} of {len(held)} others do not"
        return replace(_blank(exercise, share), message=message, hint=exercise.hint, evidence=evidence)
    share = share_earned(cases, held) if report.state in ("holds", "fails") else 0.0
    if report.state == "fails":
        share = min(share, share_earned(exercise.cases, [not why for _, why in report.complaints]))
    return _described(exercise, report, share, evidence)


def _visible_item(exercise: Exercise, report: ExerciseReport, outcomes: Sequence[Outcome]) -> Item:
    held = [not why for _, why in report.complaints]
    share = share_earned(exercise.cases, held) if report.state in ("holds", "fails") else 0.0
    return _described(exercise, report, share, f"{sum(held)} of {len(outcomes)} visible cases hold")


def _described(exercise: Exercise, report: ExerciseReport, share: float, evidence: str) -> Item:
    if report.state == "to-do":
        item = replace(_blank(exercise, 0.0), state="not-written", message="to do")
    elif report.state == "missing":
        item = replace(
            _blank(exercise, 0.0), state="not-written", message=f"not there: {_line(report.complaints[0][1])}"
        )
    else:
        wrong = [f"{case}: {why}" for case, why in report.complaints if why]
        message = (
            f"{len(wrong)} of {len(report.complaints)} cases do not hold; {wrong[0]}" if wrong else "every case holds"
        )
        item = replace(_blank(exercise, share), message=_line(message))
    return replace(item, mistake=report.mistake, hint=report.hint, evidence=evidence)


def _blank(exercise: Exercise, share: float) -> Item:
    state: ItemState = "passed" if share == 1.0 else "partial" if share > 0 else "failed"
    return Item(exercise.id, "exercise", exercise.title, round(share * MAX_POINTS, 4), MAX_POINTS, state)


def _numbered(cases: Sequence[Case]) -> list[Case]:
    """Names that say nothing, and are unique."""
    return [replace(case, name=f"private {number}") for number, case in enumerate(cases, start=1)]


def _broke(outcomes: Sequence[Outcome]) -> bool:
    return any(outcome.error in (TIMEOUT, DIED) for outcome in outcomes)


def _line(text: str) -> str:
    return " ".join(text.split())[:400]
