"""A bundle: the folder that holds runs, so that they can be shown, compared and handed on.

    records.jsonl     one line a request, written as it ends: {"point": 0, "repeat": 0, ...record}
    summary.json      {"format", "kind", "points": [Run.describe()], "client_error"}; rewritten after each point
    provenance.json   machine, versions, date, load, seed, commit
    limits.json       the machine's bandwidth and matrix rate, where `./course bench` measured them; may be missing

Figures are always computed from the records; `summary.json` repeats them for readers without this library. A bundle
whose writer was stopped, or crashed, loads with all that had finished.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

import orjson

from helpers.bench.provenance import machine_id
from helpers.bench.run import Origin, Run
from helpers.client.records import RequestRecord
from helpers.errors import MissingError, UsageError

FORMAT = 1
RECORDS, SUMMARY, PROVENANCE = "records.jsonl", "summary.json", "provenance.json"
LIMITS = "limits.json"


@dataclass(frozen=True, slots=True)
class Bundle:
    """What a folder holds.

    Attributes:
        kind: run, sweep or comparison.
        origin: simulated if a run of it is; else measured if this machine made it, else recorded.
        damaged_lines: lines of records.jsonl that could not be read: the last one, after a crash.
    """

    kind: str
    runs: tuple[Run, ...]
    provenance: dict[str, Any]
    client_error: dict[str, Any] | None
    origin: Origin
    damaged_lines: int = 0

    def to_json(self) -> dict[str, Any]:
        """The contract's {points, client_error, provenance}."""
        return {
            "points": [run.point() for run in self.runs],
            "client_error": self.client_error,
            "provenance": self.provenance,
        }


class BundleWriter:
    """Writes a bundle while it is measured. A disk that fails does not stop the measuring: see `failure`.

    Args:
        folder: made if it is not there; must not hold a bundle already. None: nothing is written.

    Raises:
        UsageError: the folder holds a bundle. MissingError: the folder cannot be made or written.
    """

    def __init__(
        self, folder: Path | None, kind: str, provenance: dict[str, Any], client_error: dict[str, Any] | None
    ) -> None:
        self.folder = folder
        self.kind = kind
        self.client_error = client_error
        self.failure = ""
        self.written = 0
        self._described: list[dict[str, Any]] = []
        self._lines: TextIO | None = None
        if folder is None:
            return
        if (folder / RECORDS).exists():
            raise UsageError(f"{folder} holds a bundle already", "runs are never overwritten", "name another folder")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_json(folder / PROVENANCE, provenance)
            self._lines = open(folder / RECORDS, "x", encoding="utf-8")  # noqa: SIM115 - closed by `close`
        except OSError as error:
            raise MissingError(
                f"cannot write to {folder}", error.strerror or str(error), "name another folder"
            ) from error

    def add(self, point: int, repeat: int, record: RequestRecord) -> None:
        """Write one record at once."""
        if self._lines is None or self.failure:
            return
        line = orjson.dumps({"point": point, "repeat": repeat, **record.to_json()}).decode()
        try:
            self._lines.write(line + "\n")
            self._lines.flush()
        except OSError as error:
            self._fail(error)
        else:
            self.written += 1

    def put(self, point: int, run: Run) -> None:
        """Describe a run in summary.json, at its start (still without records) and again at its end."""
        self._described[point : point + 1] = [run.describe()]
        if self.folder is None or self.failure:
            return
        summary = {
            "format": FORMAT,
            "kind": self.kind,
            "points": self._described,
            "client_error": self.client_error,
        }
        try:
            write_json(self.folder / SUMMARY, summary)
        except OSError as error:
            self._fail(error)

    def _fail(self, error: OSError) -> None:
        self.failure = (
            f"{self.folder} could not be written ({error.strerror or error}): "
            f"{self.written} records are in it, the rest only in memory"
        )

    def close(self) -> None:
        """Close the records' file."""
        if self._lines is not None:
            try:
                self._lines.close()
            except OSError as error:
                self._fail(error)
            self._lines = None

    def __enter__(self) -> "BundleWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def save_bundle(folder: Path, kind: str, runs: Sequence[Run]) -> None:
    """Write finished runs to a new folder.

    Raises:
        UsageError: the folder holds a bundle already, or there is no run. MissingError: it cannot be written.
    """
    if not runs:
        raise UsageError("there is no run to save")
    with BundleWriter(folder, kind, runs[0].provenance, runs[0].client_error) as writer:
        for point, run in enumerate(runs):
            for repeat, records in enumerate(run.repeats):
                for record in records:
                    writer.add(point, repeat, record)
            writer.put(point, run)
    if writer.failure:
        raise MissingError(writer.failure, "the disk is full or the folder is not writable", "save to another folder")


def load_bundle(folder: Path) -> Bundle:
    """Read a bundle, of this machine or another's.

    Raises:
        MissingError: the folder holds no bundle, or a file of it is damaged. UsageError: it is of a newer format.
    """
    summary, provenance = _read_json(folder / SUMMARY), _read_json(folder / PROVENANCE)
    if (folder / LIMITS).exists():
        provenance["limits"] = _read_json(folder / LIMITS)
    if summary.get("format") != FORMAT:
        raise UsageError(
            f"{folder} has bundle format {summary.get('format')!r}, not {FORMAT}",
            "it was made by another version of the course",
            "update this clone",
        )
    points = summary["points"]
    repeats: list[list[list[RequestRecord]]] = [[[] for _ in range(point["repeats"])] for point in points]
    damaged = 0
    try:
        lines = (folder / RECORDS).read_bytes().splitlines()
    except OSError as error:
        raise MissingError(f"{folder} has no readable {RECORDS}", error.strerror or str(error)) from error
    for line in lines:
        try:
            value = orjson.loads(line)
            point, repeat = value.pop("point"), value.pop("repeat")
            record = RequestRecord.from_json(value)
            while len(repeats[point]) <= repeat:
                repeats[point].append([])
            repeats[point][repeat].append(record)
        except (orjson.JSONDecodeError, AttributeError, KeyError, IndexError, TypeError, ValueError):
            damaged += 1
    origin: Origin = "measured" if provenance.get("machine_id") == machine_id() else "recorded"
    client_error = summary.get("client_error")
    runs = tuple(
        Run.rebuild(point, of_point, provenance, client_error, origin)
        for point, of_point in zip(points, repeats, strict=True)
    )
    if any(run.origin == "simulated" for run in runs):
        origin = "simulated"
    return Bundle(summary["kind"], runs, provenance, client_error, origin, damaged)


def write_json(path: Path, value: object) -> None:
    """Write a file whole or not at all: readers never see half of it.

    Raises:
        OSError: it could not be written; the old file, if there was one, is untouched.
    """
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        partial.write_text(json.dumps(value, indent=1, allow_nan=False) + "\n", encoding="utf-8")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise MissingError(f"{path.parent} holds no bundle", f"{path.name} is missing") from error
    except (OSError, ValueError) as error:
        raise MissingError(f"{path} cannot be read", str(error)) from error
    if not isinstance(value, dict):
        raise MissingError(f"{path} is damaged", "it holds no JSON object")
    return value
