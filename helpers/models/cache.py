"""Folders of files that are made once and kept: written atomically, checked before every use.

An entry is a folder in the user's cache. It is made under another name and renamed when it is whole, so that a
stopped or parallel run never leaves half of one. Its manifest holds size, time and digest of each file: a file whose
size and time are as recorded is taken as it is; otherwise its digest decides; a damaged entry is made again.
"""

import contextlib
import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from helpers.errors import MissingError

MANIFEST = "cache-manifest.json"


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def folder_digest(folder: Path, patterns: Iterable[str]) -> str:
    """SHA-256 over names and contents of the files that match; independent of the folder's own name.

    In a cache entry the digests of its manifest are used for files that are as recorded, which saves reading them.
    """
    manifest = _read_manifest(folder) if (folder / MANIFEST).is_file() else {}
    total = hashlib.sha256()
    for path in sorted({path for pattern in patterns for path in folder.glob(pattern)}):
        if path.name == MANIFEST:
            continue
        recorded = manifest.get(path.name)
        digest = recorded["sha256"] if recorded and _is_untouched(path, recorded) else file_digest(path)
        total.update(f"{path.name}\0{digest}\0".encode())
    return total.hexdigest()


def cached(entry: Path, make: Callable[[Path], None]) -> Path:
    """The entry's folder, made by `make(folder)` unless a whole one is there.

    Raises:
        MissingError: there is no space or no permission to write it.
    """
    if is_whole(entry):
        return entry
    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
        making = Path(tempfile.mkdtemp(prefix=f".making-{entry.name}-", dir=entry.parent))
        try:
            make(making)
            _write_manifest(making)
            _put_in_place(making, entry)
        finally:
            shutil.rmtree(making, ignore_errors=True)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS):
            raise
        raise MissingError(
            f"cannot write {entry}: {error.strerror}",
            "the cache folder's disk is full or not writable",
            "./course clean, or set COURSE_CACHE to a folder with space",
        ) from error
    return entry


def is_whole(entry: Path) -> bool:
    """Whether the entry is there with every file as its manifest says."""
    try:
        manifest = _read_manifest(entry)
        return bool(manifest) and all(
            _is_untouched(entry / name, recorded) or _has_content(entry / name, recorded)
            for name, recorded in manifest.items()
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        # Any of these means a damaged entry: the answer is "no", and the caller makes it again.
        return False


def _read_manifest(folder: Path) -> dict[str, dict[str, Any]]:
    manifest: dict[str, dict[str, Any]] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    return manifest


def _is_untouched(path: Path, recorded: dict[str, Any]) -> bool:
    found = path.stat()
    return bool(found.st_size == recorded["bytes"] and found.st_mtime_ns == recorded["modified_ns"])


def _has_content(path: Path, recorded: dict[str, Any]) -> bool:
    return bool(path.stat().st_size == recorded["bytes"] and file_digest(path) == recorded["sha256"])


def _write_manifest(folder: Path) -> None:
    manifest = {}
    for path in sorted(folder.iterdir()):
        found = path.stat()
        manifest[path.name] = {
            "bytes": found.st_size,
            "modified_ns": found.st_mtime_ns,
            "sha256": file_digest(path),
        }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")


def _put_in_place(making: Path, entry: Path) -> None:
    # A folder can be renamed onto nothing or onto an empty folder only, so a damaged one has to move out first.
    # Several processes may repair the same entry at once: whoever comes second finds a whole one and keeps it.
    aside = making.with_name(making.name + "-damaged")
    while True:
        try:
            os.rename(making, entry)
            return
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
        if is_whole(entry):
            return
        with contextlib.suppress(FileNotFoundError):
            os.rename(entry, aside)
        shutil.rmtree(aside, ignore_errors=True)
