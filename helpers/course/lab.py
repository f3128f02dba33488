"""The learner's own copies of the labs, and JupyterLab on them.

Copies lie in work/, which git ignores: a pull never conflicts with what a learner wrote. JupyterLab listens on
127.0.0.1 only and asks nothing of the network: no news, no update check.
"""

import importlib.util
import itertools
import os
import shutil
import subprocess
import sys
from pathlib import Path

from helpers.config import ROOT
from helpers.course.catalogue import Entry, find_tasks
from helpers.course.execution import kernel_environment
from helpers.course.files import write_json
from helpers.errors import MissingError

OVERRIDES = {
    "@jupyterlab/apputils-extension:notification": {
        "fetchNews": "false",
        "checkForUpdates": False,
        "doNotDisturbMode": True,
    }
}
"""Settings of JupyterLab that a learner can still change; without them a pop-up asks about news."""


def copy_labs(root: Path = ROOT) -> list[Path]:
    """Copy each lab that the learner has no copy of; return the new copies.

    Raises:
        MissingError: a lab was not built.
    """
    copied = []
    for entry in find_tasks(root):
        if not entry.notebook("work").exists():
            copied.append(_copy(entry))
    return copied


def reset_lab(entry: Entry) -> Path | None:
    """Restore a lab to its first state; return where the learner's version is kept, None if there was none.

    Raises:
        MissingError: the lab was not built.
    """
    own = entry.notebook("work")
    kept = None
    if own.exists():
        versions = (own.with_name(f"{entry.stem}.before-reset-{number}.ipynb") for number in itertools.count(1))
        kept = next(path for path in versions if not path.exists())
        own.rename(kept)
    _copy(entry)
    return kept


def lab_command(root: Path, entry: Entry | None) -> list[str]:
    """The command that starts JupyterLab in the clone, on one lab or on the folder of labs."""
    opened = f"work/{entry.stem}.ipynb" if entry else "work"
    return [
        *(sys.executable, "-m", "jupyterlab", "--ServerApp.answer_yes=True"),
        "--ServerApp.ip=127.0.0.1",
        # In a container one is root; the server is reachable from this machine only, and asks for its token.
        "--ServerApp.allow_root=True",
        f"--ServerApp.root_dir={root}",
        f"--LabApp.default_url=/lab/tree/{opened}",
        f"--LabApp.app_settings_dir={root / 'work' / '.jupyter'}",
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.handlers.announcements.NeverCheckForUpdate",
        "--LabApp.extension_manager=readonly",
    ]


def open_lab(entry: Entry | None, root: Path = ROOT) -> int:
    """Become JupyterLab, so that whoever ends this process ends it; where that is not possible, wait for its end.

    Returns:
        JupyterLab's exit code, on Windows; elsewhere this does not return.

    Raises:
        MissingError: JupyterLab is not installed, or a lab was not built.
    """
    if importlib.util.find_spec("jupyterlab") is None:
        raise MissingError(
            "JupyterLab is not installed in this environment",
            "this Python is not the course's own",
            "./course lab, from the clone, which sets its own environment up",
        )
    copy_labs(root)
    write_json(root / "work" / ".jupyter" / "overrides.json", OVERRIDES)
    command, environment = lab_command(root, entry), kernel_environment()
    os.chdir(root)
    if sys.platform == "win32":
        return subprocess.call(command, env=environment)
    os.execve(command[0], command, environment)


def _copy(entry: Entry) -> Path:
    lab, own = entry.notebook("labs"), entry.notebook("work")
    if not lab.exists():
        raise MissingError(f"{lab} is missing", "it was not built", "./course build")
    own.parent.mkdir(exist_ok=True)
    shutil.copyfile(lab, own)
    return own
