"""`./course report DIR...`: merge the bundles of several runs and machines; of two, say what changed."""

import argparse
import json
from pathlib import Path

from helpers.errors import MissingError

RECORDS, SUMMARY, PROVENANCE = "records.jsonl", "summary.json", "provenance.json"
"""What makes a folder a bundle: see `helpers.bench.bundle`, which is not imported before it is needed."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "folders",
        metavar="DIR",
        nargs="+",
        type=Path,
        help="a bundle, or a folder that holds bundles; of two, what changed is shown first",
    )
    parser.add_argument("--out", type=Path, default=Path("runs/report"), help="where to write (default: runs/report)")
    parser.add_argument("--title", default="Inference engines compared", help="title of the report")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of text")


def run(arguments: argparse.Namespace) -> int:
    """Write report.html and report.md; print the answer and where they are."""
    from helpers.bench.bundle import load_bundle
    from helpers.bench.report import write_report
    from helpers.bench.report_changes import find_changes
    from helpers.bench.report_sections import build_report

    sides = [[(found, load_bundle(found)) for found in find_bundles([folder])] for folder in arguments.folders]
    bundles = list({folder: (folder, bundle) for side in sides for folder, bundle in side}.values())
    folders = [folder for folder, _ in bundles]
    changes = find_changes(*sides) if len(sides) == 2 else None
    report = build_report(bundles, title=arguments.title, changes=changes)
    html, markdown = write_report(report, arguments.out)
    if arguments.json:
        points = [point for _, bundle in bundles for point in bundle.to_json()["points"]]
        value = {
            "headline": report.headline,
            "bundles": [str(folder) for folder in folders],
            "changes": changes.sentence if changes else "",
            "points": points,
            "html": str(html),
            "markdown": str(markdown),
        }
        print(json.dumps(value))
        return 0
    print(report.headline)
    if len(sides) == 2 and changes is None:
        print("The two have no engine, model and load in common: what changed between them cannot be said.")
    print(report.lead)
    print(f"Report: {html} (the same in {markdown.name})")
    return 0


def find_bundles(folders: list[Path]) -> list[Path]:
    """The bundles in or below the folders, in the order given, each once; attempts that were replaced are left out.

    Raises:
        MissingError: a folder holds none.
    """
    found: dict[Path, None] = {}
    for folder in folders:
        inside = [path.parent for path in sorted(folder.rglob(RECORDS)) if _is_bundle(path.parent, folder)]
        if not inside:
            raise MissingError(
                f"{folder} holds no bundle",
                f"a bundle is a folder with {RECORDS}, {SUMMARY} and {PROVENANCE}"
                if folder.is_dir()
                else "there is no such folder",
                "./course bench --engine llama.cpp --out runs/first",
            )
        found.update(dict.fromkeys(inside))
    return list(found)


def _is_bundle(folder: Path, asked: Path) -> bool:
    replaced = any(".attempt-" in part for part in folder.relative_to(asked).parts)
    return not replaced and (folder / SUMMARY).is_file() and (folder / PROVENANCE).is_file()
