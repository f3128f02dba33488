"""Copies of the course to run notebooks in, so that no test writes into the clone it belongs to."""

import shutil
import subprocess
import sys
from pathlib import Path

from helpers.config import ROOT
from helpers.course.execution import kernel_environment

UNWANTED = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints")


def copy_course(folder: Path) -> Path:
    """Everything that a learner's clone needs to run its notebooks."""
    for name in ("helpers", "content", "notebooks", "labs", "solutions"):
        shutil.copytree(ROOT / name, folder / name, ignore=UNWANTED)
    shutil.copy(ROOT / "pyproject.toml", folder / "pyproject.toml")
    return folder


def run_nbval(clone: Path, notebook: Path, cell_timeout_s: int = 600) -> subprocess.CompletedProcess[str]:
    """Run a notebook of a clone, comparing the outputs of its checked cells with the committed ones."""
    argv = [
        *(sys.executable, "-m", "pytest", "--nbval-lax", str(notebook), "--rootdir", str(clone)),
        *("-c", str(clone / "pyproject.toml"), "-p", "no:cacheprovider", "-q", "--color=no"),
        *("--nbval-kernel-name", "python3", "--nbval-cell-timeout", str(cell_timeout_s)),
        *("--timeout", str(2 * cell_timeout_s)),
    ]
    environment = {**kernel_environment(), "PYTHONPATH": str(clone)}
    return subprocess.run(argv, cwd=clone, env=environment, check=False, capture_output=True, text=True)
