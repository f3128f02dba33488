"""What takes disk space and is made again by itself. Nobody's work is among it: not work/, and runs/ only if asked."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from helpers.config import ROOT, read_settings

CACHE_FOLDERS = ("gguf", "models")
"""Below the user's cache: exports of model files, made again when an engine asks for them."""

TOOL_FOLDERS = (".mypy_cache", ".pytest_cache", ".ruff_cache", ".hypothesis")
SCATTERED = ("__pycache__", ".ipynb_checkpoints")
SEARCHED = ("content", "helpers", "labs", "notebooks", "solutions", "tests", "work")


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder that can go, and its size on disk."""

    path: Path
    bytes: int


def find_clutter(root: Path = ROOT, *, runs: bool = False) -> list[Folder]:
    """Folders that can go: caches, checkpoints, attempts of stopped runs; all runs if `runs`."""
    paths = [read_settings().cache / name for name in CACHE_FOLDERS]
    paths += [root / name for name in TOOL_FOLDERS]
    paths += [path for top in SEARCHED for name in SCATTERED for path in sorted((root / top).rglob(name))]
    paths += [root / "runs"] if runs else sorted((root / "runs").glob("*/*.attempt-*"))
    return [Folder(path, _size(path)) for path in paths if path.is_dir() and not path.is_symlink()]


def remove(folders: list[Folder]) -> Iterator[Folder]:
    """Remove folders one by one, yielding each when it is gone."""
    for folder in folders:
        shutil.rmtree(folder.path)
        yield folder


def _size(path: Path) -> int:
    return sum(file.lstat().st_size for file in path.rglob("*") if not file.is_dir() or file.is_symlink())
