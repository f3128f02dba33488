"""Small text and JSON files of a run or a learner's progress: written whole or not at all."""

import contextlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from helpers.errors import MissingError


def write_text(path: Path, text: str) -> None:
    """Write a file so that a reader, or a crash, finds the old content or the new one.

    Half a character, as a program may put into a message, is written as its escape (which JSON understands).

    Raises:
        MissingError: the disk is full or the folder cannot be written; the old content is still there.
    """
    making = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, making = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
            file.write(text)
        os.chmod(making, 0o644)
        os.replace(making, path)
    except OSError as error:
        if making:
            with contextlib.suppress(OSError):
                os.unlink(making)
        raise MissingError(
            f"cannot write {path}: {error.strerror}",
            "the disk is full, or the folder belongs to another user",
            "./course clean",
        ) from error


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file, indented, in the order given."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file; None if there is none.

    Raises:
        ValueError: the file is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
