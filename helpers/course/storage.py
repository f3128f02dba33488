"""What takes disk space and is made again by itself. Nobody's work is among it: not work/, and runs/ only if asked.

Engines that were installed take minutes and gigabytes to come back: they, too, go only if asked.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from helpers.config import ROOT, read_settings

CACHE_FOLDERS = ("gguf", "models", "onnx-engines")
"""Below the user's cache: exports of model files and engines built from them, made again when one asks for them."""

ENGINE_FOLDER = "environments"
"""Below the user's cache: what `./course engines install` made."""

TOOL_FOLDERS = (".mypy_cache", ".pytest_cache", ".ruff_cache", ".hypothesis", "site", "build", "dist")
SCATTERED = ("__pycache__", ".ipynb_checkpoints")
SEARCHED = ("content", "helpers", "labs", "notebooks", "solutions", "tests", "work")


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder that can go, and its size on disk."""

    path: Path
    bytes: int


def find_clutter(root: Path = ROOT, *, runs: bool = False, engines: bool = False) -> list[Folder]:
    """Folders that can go: caches, checkpoints, built pages, attempts of stopped runs; all runs or engines if asked."""
    cache = read_settings().cache
    paths = [cache / name for name in CACHE_FOLDERS]
    paths += [cache / ENGINE_FOLDER] if engines else []
    paths += [root / name for name in TOOL_FOLDERS]
    paths += [path for top in SEARCHED for name in SCATTERED for path in sorted((root / top).rglob(name))]
    paths += [root / "runs"] if runs else sorted((root / "runs").glob("*/*.attempt-*"))
    return _measured(paths)


def find_kept(root: Path = ROOT) -> dict[str, Folder]:
    """What stays unless asked for, where it is: option of `./course clean` -> folder."""
    folders = {"--runs": root / "runs", "--engines": read_settings().cache / ENGINE_FOLDER}
    return {option: folder for option, path in folders.items() for folder in _measured([path]) if folder.bytes}


def remove(folders: list[Folder]) -> Iterator[Folder]:
    """Remove folders one by one, yielding each when it is gone."""
    for folder in folders:
        shutil.rmtree(folder.path)
        yield folder


def _measured(paths: list[Path]) -> list[Folder]:
    return [Folder(path, _size(path)) for path in paths if path.is_dir() and not path.is_symlink()]


def _size(path: Path) -> int:
    return sum(file.lstat().st_size for file in path.rglob("*") if not file.is_dir() or file.is_symlink())
