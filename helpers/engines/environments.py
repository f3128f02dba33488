"""Where engines' own Python environments are: one for each engine, release and lock, shared by all clones of a cache.

Engines pin PyTorch versions that exclude each other, and the course needs none, so no engine is ever installed into the
course's own environment.
"""

import hashlib
import json
import platform
import sys
from pathlib import Path

from helpers.config import read_settings
from helpers.engines import catalog
from helpers.engines.catalog import Release

LOCKS = Path(__file__).resolve().parent / "locks"
MARKER = "course-environment.json"
"""Written last: an environment without it is not finished."""


def lock_file(release: Release) -> Path | None:
    """The file that pins what the release needs."""
    return LOCKS / release.lock if release.lock else None


def folder_of(engine: str, release: Release) -> Path:
    """The environment's folder, named by everything that decides what is in it."""
    lock = lock_file(release)
    content = [release.package, release.torch, release.stands_for, platform.machine(), f"{sys.version_info[:2]}"]
    content.append(lock.read_text(encoding="ascii") if lock else "")
    digest = hashlib.sha256("\0".join(content).encode()).hexdigest()
    return read_settings().cache / "environments" / f"{engine}-{release.name}-{digest[:16]}"


def is_finished(folder: Path) -> bool:
    """Whether an environment is there as a whole."""
    return (folder / MARKER).is_file()


def finish(folder: Path, engine: str, release: Release) -> None:
    """Write the marker."""
    text = json.dumps({"engine": engine, "release": release.name, "version": release.version})
    (folder / MARKER).write_text(text, encoding="utf-8")


def find_program(engine: str, release: Release, program: str) -> str | None:
    """The program in the release's environment; None if that is not installed."""
    folder = folder_of(engine, release)
    path = folder / "bin" / program
    return str(path) if is_finished(folder) and path.is_file() else None


def installed(engine: str) -> list[Release]:
    """The native releases of an engine that have an environment here."""
    releases = catalog.find(engine).releases
    return [r for r in releases if r.kind == "native" and is_finished(folder_of(engine, r))]
