"""`./course grade`: from a folder of submissions to marks and feedback."""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from helpers.grade.grading import Graded, Progress
    from helpers.grade.limits import UnitLimits


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("submissions", type=Path, help="a folder: one folder, zip file or notebook per learner")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="marks, feedback, executed notebooks")
    parser.add_argument("--private", type=Path, metavar="DIR", help="private cases (./course release --private DIR)")
    parser.add_argument("--rubric", type=Path, metavar="FILE", help="weights, bands, manual columns, late rules")
    parser.add_argument("--jobs", type=int, default=0, metavar="N", help="submissions at a time; half of the cores")
    parser.add_argument("--scheduler", default="", metavar="ADDR", help="tcp://HOST:PORT of a dask scheduler")
    parser.add_argument("--seed", type=int, default=0, help="of the class; learners' own seeds follow from it")
    parser.add_argument(
        "--rerun", type=int, default=10, metavar="PERCENT", help="of handed-in bundles whose notebook is run here too"
    )
    parser.add_argument(
        "--limit", action="append", default=[], metavar="NAME=NUMBER", help="such as cell_s=60; see docs/teaching"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Grade and say where the results are."""
    from helpers.course.catalogue import find_tasks
    from helpers.errors import UsageError
    from helpers.grade.grading import grade
    from helpers.grade.planning import GradeOptions
    from helpers.grade.private import known_cases
    from helpers.grade.sandbox import probe
    from helpers.hardware import usable_cores

    if arguments.jobs < 0 or not 0 <= arguments.rerun <= 100:
        raise UsageError("--jobs is a whole number above zero, --rerun a percentage")
    for line in probe().missing():
        print(f"Not contained on this machine: {line}.", file=sys.stderr)
    private = arguments.private or known_cases(find_tasks())
    if private is None:
        print("No --private: exercises are judged by the cases that learners see.", file=sys.stderr)
    elif arguments.private is None:
        print("No --private: private inputs are those of seed 0, which a learner could draw too.", file=sys.stderr)
    options = GradeOptions(
        private=private,
        rubric=arguments.rubric,
        jobs=arguments.jobs or max(1, usable_cores() // 2),
        scheduler=arguments.scheduler,
        seed=arguments.seed,
        rerun_percent=arguments.rerun,
        limits=read_limits(arguments.limit),
    )
    graded = grade(arguments.submissions, arguments.out, options, show_progress)
    if arguments.json:
        units = [result.to_json() for result in graded.results]
        ignored = [{"source": source, "reason": reason} for source, reason in graded.ignored]
        print(json.dumps({"out": str(graded.out), "units": units, "ignored": ignored}))
    else:
        show_graded(graded)
    return 0


def read_limits(given: Sequence[str]) -> "UnitLimits":
    """The limits of a unit, some of them changed.

    Raises:
        UsageError: there is no limit of that name, or it is no number above zero.
    """
    from helpers.errors import UsageError
    from helpers.grade.limits import UnitLimits

    known = UnitLimits().to_json()
    changed = {}
    for limit in given:
        name, _, number = limit.partition("=")
        try:
            changed[name] = type(known[name])(number)
        except (KeyError, ValueError) as error:
            raise UsageError(f"{limit!r} is no limit", f"limits are {', '.join(known)}", "--limit cell_s=60") from error
        if not changed[name] > 0:
            raise UsageError(f"{limit!r}: a limit is above zero")
    return UnitLimits(**{**known, **changed})


def show_progress(progress: "Progress") -> None:
    """One line a unit, with the time that is left."""
    minutes, seconds = divmod(round(progress.left_s), 60)
    left = f"about {minutes} min {seconds:02d} s left" if progress.done < progress.total else "done"
    line = f"{progress.done}/{progress.total} {progress.learner} {progress.task}: {progress.outcome} ({left})"
    print(line, file=sys.stderr, flush=True)


def show_graded(graded: "Graded") -> None:
    """How the units ended, what was not graded, and where to look."""
    counted = Counter(result.outcome for result in graded.results)
    print(f"{len(graded.results)} units: {', '.join(f'{count} {outcome}' for outcome, count in counted.most_common())}")
    for source, reason in graded.ignored:
        print(f"not graded: {source} ({reason})")
    print(f"marks:    {graded.out / 'totals.csv'}, {graded.out / 'grades.csv'}")
    print(f"feedback: {graded.out / 'feedback'}")
    print(f"class:    {graded.page}")
