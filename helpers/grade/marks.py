"""From results to marks: the rubric over what the grader found. Pure, but for the files that the rubric names.

What could not be run (max_points 0 in the result) stays without points to have: it costs nobody anything.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from helpers.course.catalogue import find_tasks
from helpers.course.files import read_json
from helpers.course.milestones import judge_folder
from helpers.grade.lateness import Lateness, find_lateness, read_times
from helpers.grade.manual import Judged, manual_item, merge_manual
from helpers.grade.results import Item, Result, replay_path, unit_folder
from helpers.grade.rubric import Band, Rubric


@dataclass(frozen=True, slots=True)
class Mark:
    """One unit with its points.

    Attributes:
        result: the grader's, its items with the rubric's points, manual ones added.
        lateness: when it was handed in, and the share that costs.
    """

    result: Result
    lateness: Lateness

    @property
    def points(self) -> float:
        """Points earned, before lateness."""
        return self.result.points

    @property
    def max_points(self) -> float:
        """The most that could be had here."""
        return self.result.max_points

    @property
    def penalty(self) -> float:
        """Points that lateness takes."""
        return self.points * self.lateness.share

    @property
    def total(self) -> float:
        """What counts."""
        return self.points - self.penalty


def mark_all(out: Path, results: Sequence[Result], rubric: Rubric, submissions: Path | None = None) -> list[Mark]:
    """Marks of all units, in order of learner and task, whatever the order of the results.

    Args:
        out: where the units' folders lie, and manual.csv.
        results: as the grader wrote them.
        rubric: what things are worth.
        submissions: the folder that was graded, for time stamps beside submissions; None: there are none.

    Raises:
        UsageError, MissingError: a file that the rubric names cannot be used.
    """
    judged = merge_manual(out, rubric.manual, sorted({result.learner for result in results}))
    times = read_times(rubric.late)
    return [
        Mark(
            replace(result, items=tuple(_items(out, result, rubric, judged))),
            find_lateness(result, rubric.late, times, submissions),
        )
        for result in sorted(results, key=_place)
    ]


def by_learner(marks: Sequence[Mark]) -> dict[str, list[Mark]]:
    """Learners in order of name, each with their marks in order of task."""
    ordered = sorted(marks, key=lambda mark: _place(mark.result))
    return {
        learner: [mark for mark in ordered if mark.result.learner == learner]
        for learner in dict.fromkeys(mark.result.learner for mark in ordered)
    }


def _place(result: Result) -> tuple[str, str, str]:
    return result.learner.casefold(), result.learner, result.task


def _items(out: Path, result: Result, rubric: Rubric, judged: Mapping[tuple[str, str], Judged]) -> list[Item]:
    items = [_weighed(out, result, item, rubric) for item in result.items]
    columns = [column for column in rubric.manual if column.task == result.task]
    return items + [manual_item(column, judged.get((result.learner, column.id), Judged())) for column in columns]


def _weighed(out: Path, result: Result, item: Item, rubric: Rubric) -> Item:
    if item.max_points == 0:
        return item
    most = rubric.max_points(item.id, item.kind, item.max_points)
    share = item.points / item.max_points
    if item.kind == "exercise" and item.state == "partial" and rubric.partial:
        share = next((part for bound, part in rubric.partial if share >= bound), 0.0)
    weighed = replace(item, points=share * most, max_points=most)
    for band in rubric.bands:
        if band.milestone == item.id and item.state == "reached":
            weighed = _banded(weighed, band, _number(_numbers(out, result, item), band.number))
    return weighed


def _banded(item: Item, band: Band, value: Any) -> Item:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return replace(item, points=0.0, message=f"{item.message} The judge gave no number {band.number}.".strip())
    share = band.share(value)
    note = f"{band.number} {value:.4g}: {share:.0%} of the points."
    return replace(item, points=share * item.max_points, message=f"{item.message} {note}".strip())


def _number(numbers: Any, path: str) -> Any:
    """What a path like `gain.0` names in the judge's numbers; None if nothing."""
    for step in path.split("."):
        if isinstance(numbers, Mapping):
            numbers = numbers.get(step)
        elif isinstance(numbers, list | tuple) and step.isdigit() and int(step) < len(numbers):
            numbers = numbers[int(step)]
        else:
            return None
    return numbers


def _numbers(out: Path, result: Result, item: Item) -> Mapping[str, Any]:
    """The judge's numbers: those of what the grader played again, else by judging the kept evidence again.

    Only of a milestone that was reached, so that the evidence has been read within the unit's limits before.
    """
    entry = next(entry for entry in find_tasks() if entry.stem == result.task)
    folder = unit_folder(out, result.learner, result.task)
    evidence = folder / item.evidence
    if evidence.parent.name == "evidence" and evidence.is_relative_to(folder):
        folder = evidence.parent.parent
    played = read_json(replay_path(folder, item.id))
    if played is not None:
        numbers: Mapping[str, Any] = played["numbers"]
        return numbers
    return judge_folder(entry, entry.milestone(item.id), folder).numbers
