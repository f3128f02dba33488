"""Where figures come from: machine, versions, date, load, commit."""

import hashlib
import os
import platform
import subprocess
import uuid
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from helpers.config import ROOT
from helpers.hardware import read_hardware

LIBRARIES = ("httptools", "numpy", "orjson", "uvloop", "xllamacpp")
"""Packages whose version can move a figure."""


@cache
def machine_id() -> str:
    """A name for this machine that says nothing about its owner: a digest of its system id, processor and memory."""
    try:
        identity = Path("/etc/machine-id").read_text(encoding="ascii").strip()
    except OSError:
        identity = ""  # no systemd: the network card's number is next best
    facts = f"{identity or uuid.getnode()}-{platform.node()}-{platform.machine()}"
    return hashlib.sha256(facts.encode()).hexdigest()[:12]


def git_commit() -> str:
    """The clone's commit, with + if files differ from it; empty where there is no git or no clone."""
    try:
        commit = _git("rev-parse", "--short=12", "HEAD")
        return commit + ("+" if _git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return ""


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(ROOT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=5, check=True).stdout.strip()


def load_average() -> float | None:
    """Busy processes over the last minute; None where the system does not count them (Windows)."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def read_provenance(seed: int) -> dict[str, Any]:
    """Everything about the circumstances of a run that starts now, JSON-ready."""
    hardware = read_hardware()
    return {
        "machine_id": machine_id(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "seed": seed,
        "load_average": load_average(),
        "git_commit": git_commit(),
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in LIBRARIES},
        "hardware": hardware.to_json(),
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
