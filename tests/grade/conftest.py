"""A clone in miniature to grade in: its sample lab needs a second, not a minute."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from helpers.course.execution import kernel_environment
from tests.course.conftest import built_clone, sample

__all__ = ["built_clone", "sample"]

LIMITS = {
    "cell_s": 10,
    "notebook_s": 60,
    "exercise_s": 6,
    "memory_bytes": 1_200_000_000,
    "data_bytes": 900_000_000,
    "processes": 200,
    "file_bytes": 50_000_000,
    "files": 2000,
    "output_bytes": 1_000_000,
}
"""Small, so that what runs into them does so soon."""


@pytest.fixture(scope="session")
def grade_clone(built_clone: Path) -> Path:
    """Gradings write nothing to it; a test of the hostile class holds that."""
    return built_clone


def grade_command(clone: Path, submissions: Path, out: Path, *more: str) -> tuple[list[str], dict[str, str]]:
    """Command and environment of a grading in that clone."""
    limits = [word for name, value in LIMITS.items() for word in ("--limit", f"{name}={value}")]
    argv = [sys.executable, "-m", "helpers", "grade", str(submissions), "--out", str(out), *limits, *more]
    environment = {**kernel_environment(), "PYTHONPATH": str(clone), "COURSE_CACHE": os.environ["COURSE_CACHE"]}
    return argv, environment


def run_grading(clone: Path, submissions: Path, out: Path, *more: str) -> dict[str, dict[str, Any]]:
    """Grade; the units by learner."""
    argv, environment = grade_command(clone, submissions, out, *more, "--json")
    done = subprocess.run(argv, cwd=clone, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {unit["learner"]: unit for unit in json.loads(done.stdout)["units"]}
