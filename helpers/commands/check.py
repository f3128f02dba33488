"""`./course check`: a learner's own feedback."""

import argparse
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from helpers.course.check import LabReport
    from helpers.course.execution import CellStart
    from helpers.course.exercises import ExerciseReport


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("task", help="1 to 6, 12.1 to 12.6, or a stem")


def run(arguments: argparse.Namespace) -> int:
    """Check the lab and print what holds and what does not."""
    from helpers.course.catalogue import find_task
    from helpers.course.check import check_lab

    entry = find_task(arguments.task)
    print(f"{entry.task.title}: {entry.notebook('work')}\n")
    report = check_lab(entry, show_exercises, show_progress)
    show_lab(report)
    return 0 if report.holds else 1


def show_exercises(reports: "list[ExerciseReport]") -> None:
    """Print each exercise with what does not hold, the likely mistake, and a hint; then what to do next."""
    for report in reports:
        for line in report.lines():
            print(line)
        if report.mistake:
            print(f"  Likely mistake: {report.mistake}")
        if report.hint:
            print(f"  Hint: {report.hint}")
    held = sum(report.state == "holds" for report in reports)
    following = next((report for report in reports if report.state != "holds"), None)
    lead = f" Next: {following.exercise} ({following.title})." if following else ""
    print(f"\n{held} of {len(reports)} exercises hold.{lead}")
    sys.stdout.flush()


def show_progress(start: "CellStart") -> None:
    """Overwrite one line on a terminal; elsewhere say nothing."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\033[Krunning your lab: cell {start.index} of {start.total} ({start.cell})")
        sys.stderr.flush()


def show_lab(report: "LabReport") -> None:
    """Print how the whole lab ran and which milestones are the learner's own."""
    if sys.stderr.isatty():
        sys.stderr.write("\r\033[K")
    if report.ending is None:
        print("Your lab as a whole is run when every exercise holds.")
        return
    ending = report.ending
    print(f"\nYour lab from top to bottom: {ending.outcome} ({ending.seconds:.0f} s) {ending.reason}".rstrip())
    for milestone in report.milestones:
        why = f" ({milestone.reason})" if milestone.reason else ""
        print(f"milestone {milestone.id}: {milestone.state}{why}")
