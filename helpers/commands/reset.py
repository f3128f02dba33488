"""`./course reset`: one lab as it was at first."""

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("task", help="1 to 6, 12.1 to 12.6, or a stem")


def run(arguments: argparse.Namespace) -> int:
    """Restore the lab and say where the old copy is."""
    from helpers.course.catalogue import find_task
    from helpers.course.lab import reset_lab

    entry = find_task(arguments.task)
    kept = reset_lab(entry)
    print(f"{entry.notebook('work')} is as it was at first.")
    if kept:
        print(f"Your version is kept as {kept.name}.")
    return 0
