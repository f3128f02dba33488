"""When something was handed in, and what lateness costs.

The time is taken from the rubric's file of times (an export of whatever collected the work: columns learner, task,
at), else from nbgrader's `timestamp.txt` beside the submission. A file's own time is never used: copying changes it.
Where neither is there, nothing is late.
"""

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from helpers.course.catalogue import find_task
from helpers.errors import MissingError, UsageError
from helpers.grade.results import Result
from helpers.grade.rubric import LateRules

DAY = timedelta(days=1)
TIMESTAMP = "timestamp.txt"
LONGEST_STAMP = 200


@dataclass(frozen=True, slots=True)
class Lateness:
    """When one unit was handed in and was due; None where that is not known. `share` of its points is taken."""

    handed_in: datetime | None = None
    due: datetime | None = None
    days: int = 0
    share: float = 0.0


def read_times(rules: LateRules) -> dict[tuple[str, str], datetime]:
    """The rubric's file of times: (learner, task) -> when; the last row of a pair counts.

    Raises:
        MissingError: the file is not there.
        UsageError: a row has no learner, task or time, or there is no such task.
    """
    if rules.handed_in is None:
        return {}
    times = {}
    try:
        text = rules.handed_in.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise MissingError(
            f"cannot read {rules.handed_in}: {error.strerror}", "the rubric's late.handed_in names it", ""
        ) from error
    for number, row in enumerate(csv.DictReader(text.splitlines()), start=2):
        try:
            task = find_task(row["task"].strip()).stem
            times[row["learner"].strip(), task] = datetime.fromisoformat(row["at"].strip())
        except UsageError as error:
            raise UsageError(f"{rules.handed_in}, line {number}: {error.what}", error.cause) from error
        except (AttributeError, KeyError, ValueError) as error:
            raise UsageError(
                f"{rules.handed_in}, line {number}: {error}",
                "the columns are learner, task and at, as in 2027-03-01T23:10:00+01:00",
            ) from error
    return times


def find_lateness(
    result: Result, rules: LateRules, times: Mapping[tuple[str, str], datetime], submissions: Path | None
) -> Lateness:
    """How late a unit is, and what that costs.

    A time without a zone is in the zone of the due time. Days are counted from the due time (with the learner's
    extension) when the grace is over; each begun one counts.
    """
    due = rules.due.get(result.task)
    at = times.get((result.learner, result.task)) or _stamped(result, submissions)
    if due is None:
        return Lateness(at)
    days = [e.days for e in rules.extensions if e.learner == result.learner and e.task in ("", result.task)]
    due += DAY * max(days, default=0.0)
    if at is None:
        return Lateness(None, due)
    at = at.replace(tzinfo=due.tzinfo) if at.tzinfo is None else at
    if at <= due + timedelta(minutes=rules.grace_minutes):
        return Lateness(at, due)
    late_days = math.ceil((at - due) / DAY)
    return Lateness(at, due, late_days, min(rules.most, rules.share_per_day * late_days))


def _stamped(result: Result, submissions: Path | None) -> datetime | None:
    """nbgrader's time stamp: `2027-03-01 22:58:23.948203 UTC`."""
    if submissions is None:
        return None
    # A notebook and a bundle are two paths with "and" between; so may be a learner's name.
    parts = result.source.split(" and ")
    beside = [(submissions / " and ".join(parts[:end])).parent / TIMESTAMP for end in range(len(parts), 0, -1)]
    try:
        path = next((path for path in beside if path.is_file() and not path.is_symlink()), None)
        if path is None:
            return None
        with path.open(encoding="utf-8") as file:
            date, time, *zone = file.read(LONGEST_STAMP).split()
        at = datetime.fromisoformat(f"{date} {time}")
        return at.replace(tzinfo=ZoneInfo(zone[0])) if zone else at
    except (OSError, ValueError, ZoneInfoNotFoundError):
        # A learner may have written anything there; what cannot be read is no time.
        return None
