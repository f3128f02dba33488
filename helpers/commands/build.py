"""`./course build`: notebooks, labs and solutions from their masters, and the engines' pages from the catalogue."""

import argparse

from helpers.errors import CheckFailed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--check", action="store_true", help="write nothing; say what differs, exit 1 if anything does")


def run(arguments: argparse.Namespace) -> int:
    """Build, or say what a build would change."""
    from helpers.config import ROOT
    from helpers.course.build import build, differences

    if arguments.check:
        lines = differences()
        if lines:
            raise CheckFailed(
                "\n".join(lines), "what they are made from changed, or they were edited by hand", "./course build"
            )
        print("Every built file is what its source makes.")
        return 0
    changed = build()
    for path in changed:
        print(path.relative_to(ROOT))
    print(f"{len(changed)} files changed.")
    return 0
