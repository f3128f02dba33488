"""`./course release`: the learners' hand-out, and the instructor's private inputs."""

import argparse
from pathlib import Path

from helpers.errors import UsageError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--out", metavar="DIR", type=Path, help="make the hand-out in this new folder")
    parser.add_argument(
        "--private", metavar="DIR", type=Path, help="draw private inputs of every lab into this folder, for `grade`"
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="of the private inputs: a number that only you know (default: 0)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Make what is asked for, and say where it is."""
    from helpers.course.catalogue import find_tasks
    from helpers.grade.private import write_cases
    from helpers.grade.release import write_release

    if arguments.out is None and arguments.private is None:
        raise UsageError("nothing was asked for", "", "./course release --out DIR, or --private DIR, or both")
    if arguments.private is not None:
        paths = write_cases(arguments.private, find_tasks(), arguments.seed)
        print(f"Private inputs of {len(paths)} tasks: {arguments.private}. Keep them from learners.")
    if arguments.out is not None:
        files = write_release(arguments.out)
        megabytes = sum(path.stat().st_size for path in files) / 1e6
        print(f"Hand-out: {arguments.out}, {len(files)} files, {megabytes:.0f} MB.")
        print("Searched: no solution, planted answer or private input is in it.")
    return 0
