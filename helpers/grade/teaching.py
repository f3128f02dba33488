"""What of docs/teaching is built: the sample class, from the lab, and the expected figures, from recorded runs."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from helpers.config import ROOT
from helpers.course.files import write_text
from helpers.grade.sample import FOLDER, sample_files

FIGURES = "docs/teaching/figures.md"
SPECULATION = "benchmarks/results/speculation.json"
KINDS = ("predictable", "semi", "free")
PROPOSERS = {"ngram": "n-gram", "draft": "draft model", "eagle3": "EAGLE-3"}


def teaching_files(root: Path = ROOT) -> dict[Path, bytes]:
    """Every built file of docs/teaching with its content; none in a learners' hand-out."""
    if not (root / FIGURES).parent.is_dir():
        return {}
    return sample_files(root) | {root / FIGURES: figures_page(root).encode()}


def build_teaching(root: Path = ROOT) -> list[Path]:
    """Write what differs, remove submissions of no recipe; return the paths that changed."""
    files = teaching_files(root)
    changed = [path for path, content in files.items() if not path.exists() or path.read_bytes() != content]
    for path in changed:
        if path.suffix == ".zip":
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(files[path])
        else:
            write_text(path, files[path].decode())
    orphans = _orphans(files, root)
    for path in orphans:
        path.unlink()
    return changed + orphans


def teaching_differences(root: Path = ROOT) -> list[str]:
    """What a build would change, one line per file."""
    files = teaching_files(root)
    lines = [
        f"{path.relative_to(root)}: differs from what it is made from"
        for path, content in files.items()
        if not path.exists() or path.read_bytes() != content
    ]
    return lines + [f"{path.relative_to(root)}: has no recipe" for path in _orphans(files, root)]


def figures_page(root: Path = ROOT) -> str:
    """The page of expected figures: recorded bundles and the benchmark of speculation, as tables."""
    bundles = [_bundle(path.parent) for path in sorted((root / "recorded").glob("*/summary.json"))]
    measured: Mapping[str, Any] = {}
    if (root / SPECULATION).exists():
        measured = json.loads((root / SPECULATION).read_text(encoding="utf-8"))
    environment = Environment(loader=PackageLoader("helpers.grade"), undefined=StrictUndefined, trim_blocks=True)
    return environment.get_template("figures.md.jinja").render(
        bundles=bundles, measured=measured, passes=_passes(measured), source=SPECULATION
    )


def _bundle(folder: Path) -> dict[str, Any]:
    provenance = json.loads((folder / "provenance.json").read_text(encoding="utf-8"))
    points = json.loads((folder / "summary.json").read_text(encoding="utf-8"))["points"]
    return {"name": folder.name, "points": points, "hardware": provenance["hardware"], "date": provenance["date"][:10]}


def _passes(measured: Mapping[str, Any]) -> list[tuple[str, str, list[float]]]:
    """Engine and model, proposer, tokens per pass by kind of text."""
    return [
        (engine, PROPOSERS.get(proposer, proposer), [kinds[kind]["tokens_per_pass"] for kind in KINDS])
        for engine, proposers in measured.get("acceptance", {}).items()
        for proposer, kinds in proposers.items()
        if all(kind in kinds and kinds[kind]["passes"] for kind in KINDS)
    ]


def _orphans(files: Mapping[Path, bytes], root: Path) -> list[Path]:
    present = sorted(path for path in (root / FOLDER).rglob("*") if path.is_file())
    return [path for path in present if path not in files]
