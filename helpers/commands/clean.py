"""`./course clean`: disk space back, and how much."""

import argparse

from helpers.errors import UsageError

WORTH_A_LINE_BYTES = 10**6


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--runs", action="store_true", help="also remove runs/: results, evidence, reports")
    parser.add_argument("--engines", action="store_true", help="also remove the engines that were installed")
    parser.add_argument("--dry-run", action="store_true", help="say what would go, remove nothing")


def run(arguments: argparse.Namespace) -> int:
    """Remove what is made again by itself, say how much that was, and what could go in addition."""
    from helpers.course.storage import find_clutter, find_kept, remove

    if arguments.engines and not arguments.dry_run:
        _refuse_if_used()
    clutter = find_clutter(runs=arguments.runs, engines=arguments.engines)
    gone = clutter if arguments.dry_run else list(remove(clutter))
    large = [folder for folder in gone if folder.bytes >= WORTH_A_LINE_BYTES]
    for folder in large:
        print(f"{folder.bytes / 1e6:10.1f} MB  {folder.path}")
    if len(gone) > len(large):
        rest = sum(folder.bytes for folder in gone) - sum(folder.bytes for folder in large)
        print(f"{rest / 1e6:10.1f} MB  in {len(gone) - len(large)} small folders")
    freed = sum(folder.bytes for folder in gone)
    would = "would be freed" if arguments.dry_run else "freed"
    print(f"{freed / 1e6:10.1f} MB {would}. Your labs in work/ are untouched.")
    for option, folder in find_kept().items():
        if not getattr(arguments, option.strip("-")):
            print(f"{folder.bytes / 1e6:10.1f} MB more with {option}: {folder.path}")
    return 0


def _refuse_if_used() -> None:
    from helpers.engines import lease

    users = lease.tickets()
    if users:
        raise UsageError(
            "engines are running", f"in use: {'; '.join(map(str, users))}", "./course engines stop NAME, then again"
        )
