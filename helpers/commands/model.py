"""`./course model`: the card of the course model, or its rebuild from the corpus generator."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from helpers.config import ROOT


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--rebuild", action="store_true", help="train it again (two hours on two cores; needs torch)")
    parser.add_argument(
        "--out",
        type=Path,
        default=ROOT / "runs" / "course-model",
        metavar="DIR",
        help="where --rebuild puts the new model; the shipped one is never touched (default: runs/course-model)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Print the card; 1 if the weights are not those it was measured on, or if a rebuilt model misses a bar."""
    from helpers.models import card

    folder = card.COURSE
    if arguments.rebuild:
        from helpers.models import training

        training.rebuild(arguments.out)
        folder = arguments.out
    found = card.read_card(folder)
    print(json.dumps(asdict(found)) if arguments.json else card.render(found))
    missed_after_rebuild = arguments.rebuild and not all(quality.holds for quality in found.quality)
    return 1 if found.changed or missed_after_rebuild else 0
