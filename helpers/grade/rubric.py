"""The rubric: what things are worth. A TOML file; everything in it is optional, nothing unknown is passed over.

[points]                          # of an item, of a kind; what is not named keeps the grader's own points
exercise = 1.0
milestone = 3.0
"ex5-schedule" = 2.0
"12.2.vllm" = 0                   # shown, not counted

[partial]                         # an exercise in which not every case holds; left out, points follow the share
steps = [[0.75, 0.5], [0.5, 0.25]]    # from three quarters of the cases on half of the points, ...

[[band]]                          # a measured value of a reached milestone, by the judge's name for it
milestone = "12.4.speedup"
number = "speedup"
steps = [[1.3, 1.0], [1.1, 0.7], [1.0, 0.4]]
at_most = false                   # true: smaller is better

[[manual]]                        # a column that a person fills in, in OUT/manual.csv
id = "12.1.discussion"
task = "01_engine_benchmark"
title = "discussion of the report"
max_points = 4

[late]                            # per task, in shares of the points earned; see helpers/grade/lateness.py
share_per_day = 0.1
most = 0.5
grace_minutes = 15
handed_in = "handed_in.csv"       # learner, task, at; beside this file
[late.due]
01_engine_benchmark = 2027-03-01T23:59:00+01:00
[[late.extension]]
learner = "anna"
task = "01_engine_benchmark"      # left out: every task
days = 3
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from helpers.course.catalogue import Entry, find_tasks
from helpers.errors import MissingError, UsageError

Steps = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Band:
    """Shares of a milestone's points by a measured value: the first step that the value keeps counts, else nothing."""

    milestone: str
    number: str
    steps: Steps
    at_most: bool = False

    def share(self, value: float) -> float:
        """The share of the points that a value earns, 0 to 1."""
        return next((share for bound, share in self.steps if (value <= bound if self.at_most else value >= bound)), 0.0)


@dataclass(frozen=True, slots=True)
class ManualColumn:
    """What a person judges: one column of OUT/manual.csv."""

    id: str
    task: str
    title: str
    max_points: float


@dataclass(frozen=True, slots=True)
class Extension:
    """Days that one learner has more; `task` empty: for every task."""

    learner: str
    days: float
    task: str = ""


@dataclass(frozen=True, slots=True)
class LateRules:
    """What lateness costs.

    Attributes:
        share_per_day: of the points earned, for each day begun after the due time and the grace.
        most: the largest share taken.
        handed_in: the file of times; None if the rubric names none.
    """

    due: Mapping[str, datetime] = field(default_factory=dict)
    share_per_day: float = 0.1
    most: float = 1.0
    grace_minutes: float = 0.0
    handed_in: Path | None = None
    extensions: tuple[Extension, ...] = ()


@dataclass(frozen=True, slots=True)
class Rubric:
    """The file, read; the default changes nothing."""

    points: Mapping[str, float] = field(default_factory=dict)
    partial: Steps = ()
    bands: tuple[Band, ...] = ()
    manual: tuple[ManualColumn, ...] = ()
    late: LateRules = LateRules()

    def max_points(self, item: str, kind: str, default: float) -> float:
        """What an item is worth: by its id, else by its kind, else what the grader gave it."""
        return self.points.get(item, self.points.get(kind, default))


def read_rubric(path: Path | None) -> Rubric:
    """Read a rubric; None gives the default.

    Raises:
        MissingError: there is no such file.
        UsageError: it is not TOML, or holds a name or value that means nothing.
    """
    if path is None:
        return Rubric()
    try:
        with path.open("rb") as file:
            content = tomllib.load(file)
        return _rubric(content, path.parent, find_tasks())
    except OSError as error:
        raise MissingError(f"cannot read {path}: {error.strerror}", "", "name a rubric with --rubric") from error
    except (tomllib.TOMLDecodeError, ValueError, TypeError, KeyError) as error:
        raise UsageError(
            f"{path}: {error}", "the form stands in docs/teaching/extending.md", f"mend {path.name} and grade again"
        ) from error


def _rubric(content: dict[str, Any], folder: Path, entries: tuple[Entry, ...]) -> Rubric:
    _known(content, {"points", "partial", "band", "manual", "late"}, "the rubric")
    items = {exercise.id for entry in entries for exercise in entry.task.exercises}
    items |= {milestone.id for entry in entries for milestone in entry.task.milestones}
    stems = {entry.stem for entry in entries}
    points = {name: _amount(value, f"points of {name}") for name, value in content.get("points", {}).items()}
    manual = tuple(_manual(table, stems) for table in content.get("manual", []))
    odd = set(points) - items - {"exercise", "milestone"}
    if odd:
        raise ValueError(f"points: there is no exercise or milestone {sorted(odd)[0]!r}")
    if len({column.id for column in manual} | items) != len(manual) + len(items):
        raise ValueError("manual: an id is used twice, or is that of an exercise or milestone")
    partial = content.get("partial", {})
    _known(partial, {"steps"}, "partial")
    bands = tuple(_band(table, items) for table in content.get("band", []))
    return Rubric(
        points,
        _steps(partial.get("steps", []), "partial"),
        bands,
        manual,
        _late(content.get("late", {}), folder, stems),
    )


def _band(table: dict[str, Any], items: set[str]) -> Band:
    _known(table, {"milestone", "number", "steps", "at_most"}, "band")
    if table["milestone"] not in items:
        raise ValueError(f"band: there is no milestone {table['milestone']!r}")
    at_most = table.get("at_most", False)
    if not isinstance(at_most, bool):
        raise ValueError("band: at_most is true or false")
    steps = _steps(table["steps"], f"band of {table['milestone']}")
    if list(steps) != sorted(steps, reverse=not at_most):
        raise ValueError(f"band of {table['milestone']}: steps go from the best value to the worst")
    return Band(table["milestone"], str(table["number"]), steps, at_most)


def _manual(table: dict[str, Any], stems: set[str]) -> ManualColumn:
    _known(table, {"id", "task", "title", "max_points"}, "manual")
    if table["task"] not in stems:
        raise ValueError(f"manual: there is no task {table['task']!r}")
    return ManualColumn(str(table["id"]), table["task"], str(table["title"]), _amount(table["max_points"], "manual"))


def _late(table: dict[str, Any], folder: Path, stems: set[str]) -> LateRules:
    _known(table, {"share_per_day", "most", "grace_minutes", "handed_in", "due", "extension"}, "late")
    due = table.get("due", {})
    for stem, at in due.items():
        if stem not in stems:
            raise ValueError(f"late.due: there is no task {stem!r}")
        if not isinstance(at, datetime) or at.tzinfo is None:
            raise ValueError(f"late.due: {stem} needs date, time and zone, as in 2027-03-01T23:59:00+01:00")
    extensions = []
    for extension in table.get("extension", []):
        _known(extension, {"learner", "task", "days"}, "late.extension")
        days, task = _amount(extension["days"], "late.extension"), extension.get("task", "")
        if task and task not in stems:
            raise ValueError(f"late.extension: there is no task {task!r}")
        extensions.append(Extension(str(extension["learner"]), days, task))
    return LateRules(
        due,
        _share(table.get("share_per_day", 0.1), "late.share_per_day"),
        _share(table.get("most", 1.0), "late.most"),
        _amount(table.get("grace_minutes", 0), "late.grace_minutes"),
        folder / table["handed_in"] if "handed_in" in table else None,
        tuple(extensions),
    )


def _steps(value: Any, where: str) -> Steps:
    return tuple((float(bound), _share(share, where)) for bound, share in value)


def _share(value: Any, where: str) -> float:
    if _amount(value, where) > 1:
        raise ValueError(f"{where}: a share lies between 0 and 1, not at {value}")
    return float(value)


def _amount(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise ValueError(f"{where}: {value!r} is no amount")
    return float(value)


def _known(table: Mapping[str, Any], names: set[str], where: str) -> None:
    odd = sorted(set(table) - names)
    if odd:
        raise ValueError(f"{where}: {odd[0]!r} means nothing; known are {', '.join(sorted(names))}")
