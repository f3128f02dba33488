"""`./course lab`: JupyterLab on the learner's own copy of the labs."""

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("task", nargs="?", help="1 to 6, 12.1 to 12.6, or a stem; the folder of labs by default")


def run(arguments: argparse.Namespace) -> int:
    """Open JupyterLab and wait for its end."""
    from helpers.course.catalogue import find_task
    from helpers.course.lab import open_lab

    return open_lab(find_task(arguments.task) if arguments.task else None, say=lambda line: print(line, flush=True))
