"""Open WebUI's environment: a virtual one of its own, with the pinned version; removed by one command."""

import shutil
import subprocess
import sys
import venv
from pathlib import Path

from helpers.errors import MissingError
from helpers.openwebui.plan import INSTALL_GB, PACKAGE, home, program

FREE_GB = 1.5 * INSTALL_GB
"""Wheels are unpacked beside what is installed."""


def install() -> Path:
    """Make the environment, unless it is there; returns its program.

    Raises:
        MissingError: too little disk, a wrong Python, or pip failed.
    """
    if program().is_file():
        return program()
    if sys.version_info[:2] not in ((3, 11), (3, 12)):
        raise MissingError(
            f"Open WebUI needs Python 3.11 or 3.12, this is {sys.version_info[0]}.{sys.version_info[1]}",
            "it does not know newer ones",
            "./course openwebui start --container",
        )
    home().mkdir(parents=True, exist_ok=True)
    free_gb = shutil.disk_usage(home()).free / 1e9
    if free_gb < FREE_GB:
        raise MissingError(
            f"{free_gb:.1f} GB are free in {home()}, {FREE_GB:.0f} GB are needed",
            "Open WebUI brings PyTorch with CUDA",
            "set COURSE_CACHE to a larger disk",
        )
    folder = program().parent.parent
    try:
        venv.create(folder, with_pip=True, clear=True)
        argv = [str(folder / "bin" / "python"), "-m", "pip", "install", "--no-cache-dir", PACKAGE]
        done = subprocess.run(argv, check=False)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    if done.returncode:
        shutil.rmtree(folder, ignore_errors=True)
        raise MissingError(
            f"pip could not install {PACKAGE}", "its message stands above", "./course openwebui start --container"
        )
    return program()


def remove() -> bool:
    """Delete the environment, its data and its log; False if there was nothing."""
    there = home().is_dir()
    shutil.rmtree(home(), ignore_errors=True)
    return there
