"""`./course build`: notebooks, labs and solutions from their masters, the engines' pages, and the documentation."""

import argparse

from helpers.errors import CheckFailed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--check", action="store_true", help="write nothing; say what differs, exit 1 if anything does")
    what.add_argument("--docs", action="store_true", help="the documentation as web pages, into site/")


def run(arguments: argparse.Namespace) -> int:
    """Build, or say what a build would change."""
    from helpers.config import ROOT
    from helpers.course.build import build, differences
    from helpers.grade.teaching import build_teaching, teaching_differences

    if arguments.docs:
        from helpers.course.documentation import build_documentation

        print(build_documentation().relative_to(ROOT))
        return 0
    if arguments.check:
        lines = differences() + teaching_differences()
        if lines:
            raise CheckFailed(
                "\n".join(lines), "what they are made from changed, or they were edited by hand", "./course build"
            )
        print("Every built file is what its source makes.")
        return 0
    # The sample class is made of the labs, so it comes after them.
    changed = build() + build_teaching()
    for path in changed:
        print(path.relative_to(ROOT))
    print(f"{len(changed)} files changed.")
    return 0
