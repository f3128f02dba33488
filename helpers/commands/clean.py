"""`./course clean`: disk space back."""

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--runs", action="store_true", help="also remove runs/: results, evidence, reports")


def run(arguments: argparse.Namespace) -> int:
    """Remove what is made again by itself, and say how much that was."""
    from helpers.course.storage import find_clutter, remove

    freed = 0
    for folder in remove(find_clutter(runs=arguments.runs)):
        print(f"{folder.bytes / 1e6:10.1f} MB  {folder.path}")
        freed += folder.bytes
    print(f"{freed / 1e6:10.1f} MB freed. Your labs in work/ are untouched.")
    return 0
