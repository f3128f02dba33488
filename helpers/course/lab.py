"""The learner's own copies of the labs, and JupyterLab on them.

Copies lie in work/, which git ignores: a pull never conflicts with what a learner wrote. JupyterLab listens on
127.0.0.1 only and asks nothing of the network: no news, no update check. Where nobody sits at a screen, it says how to
reach it from elsewhere; its token is kept, so that the same address holds tomorrow.
"""

import getpass
import importlib.util
import itertools
import os
import secrets
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from helpers.config import ROOT, read_settings
from helpers.course.catalogue import Entry, find_tasks
from helpers.course.execution import kernel_environment
from helpers.course.files import write_json
from helpers.errors import MissingError, UsageError

KERNEL = "spark-inference-course"
DISPLAY_NAMES = {KERNEL: "Inference course", "python3": "Python 3 (ipykernel)"}
"""Kernelspecs -> what JupyterLab calls them. The built notebooks ask for python3, as papermill and nbval do; inside
`./course lab` it is the course's kernel too."""

FIRST_PORT, PORTS_TRIED = 8888, 50

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


def lab_path(entry: Entry | None) -> str:
    """Where JupyterLab opens: one lab, or the folder of labs."""
    return f"/lab/tree/work/{entry.stem}.ipynb" if entry else "/lab/tree/work"


def lab_command(root: Path, entry: Entry | None, port: int = FIRST_PORT, *, headless: bool = False) -> list[str]:
    """The command that starts JupyterLab in the clone, on one lab or on the folder of labs."""
    return [
        *(sys.executable, "-m", "jupyterlab", "--ServerApp.answer_yes=True"),
        "--ServerApp.ip=127.0.0.1",
        # In a container one is root; the server is reachable from this machine only, and asks for its token.
        "--ServerApp.allow_root=True",
        f"--ServerApp.root_dir={root}",
        *(f"--ServerApp.port={port}", "--ServerApp.port_retries=0"),
        *(["--ServerApp.open_browser=False"] if headless else []),
        f"--LabApp.default_url={lab_path(entry)}",
        f"--LabApp.app_settings_dir={root / 'work' / '.jupyter'}",
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.handlers.announcements.NeverCheckForUpdate",
        "--LabApp.extension_manager=readonly",
    ]


def open_lab(entry: Entry | None, root: Path = ROOT, *, say: Callable[[str], None] = lambda line: None) -> int:
    """Become JupyterLab, so that whoever ends this process ends it; where that is not possible, wait for its end.

    Args:
        entry: the lab to open; None for the folder of labs.
        root: the clone.
        say: told, line by line, how to reach it where this machine has no screen.

    Returns:
        JupyterLab's exit code, on Windows; elsewhere this does not return.

    Raises:
        MissingError: JupyterLab is not installed, a lab was not built, or the token cannot be kept.
        UsageError: no port is free.
    """
    if importlib.util.find_spec("jupyterlab") is None:
        raise MissingError(
            "JupyterLab is not installed in this environment",
            "this Python is not the course's own",
            "./course lab, from the clone, which sets its own environment up",
        )
    copy_labs(root)
    settings = root / "work" / ".jupyter"
    write_json(settings / "overrides.json", OVERRIDES)
    write_kernelspecs(settings / "kernels", root)
    environment = {**kernel_environment(), "JUPYTER_PATH": str(settings)}
    token = environment.setdefault("JUPYTER_TOKEN", kept_token(read_settings().cache))
    port, headless = _free_port(), is_headless(environment)
    if headless:
        for line in tunnel(port, lab_path(entry), token, environment):
            say(line)
    command = lab_command(root, entry, port, headless=headless)
    os.chdir(root)
    if sys.platform == "win32":
        return subprocess.call(command, env=environment)
    os.execve(command[0], command, environment)


def write_kernelspecs(folder: Path, root: Path) -> None:
    """Write the course's kernelspecs: this Python, these helpers, whatever else is installed on the machine."""
    from ipykernel.kernelspec import get_kernel_dict

    spec = get_kernel_dict(["--IPKernelApp.kernel_class=helpers.course.kernel.CourseKernel"])
    for name, display_name in DISPLAY_NAMES.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        named = {**spec, "display_name": display_name, "env": {"PYTHONPATH": str(root)}}
        write_json(folder / name / "kernel.json", named)


def kept_token(folder: Path) -> str:
    """The token of this user's JupyterLab: made once, readable by nobody else.

    Raises:
        MissingError: the folder cannot be written.
    """
    path = folder / "jupyter-token"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not path.exists() or not path.read_text(encoding="ascii").strip():
            with open(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
                file.write(secrets.token_hex(24))
        return path.read_text(encoding="ascii").strip()
    except OSError as error:
        raise MissingError(f"the token {path} cannot be kept", error.strerror or str(error)) from error


def is_headless(environment: Mapping[str, str]) -> bool:
    """Whether no browser can open here: a remote shell, or Linux without a display."""
    if "SSH_CONNECTION" in environment:
        return True
    return sys.platform == "linux" and not (environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY"))


def tunnel(port: int, path: str, token: str, environment: Mapping[str, str]) -> list[str]:
    """How to reach JupyterLab from another computer, in lines for a terminal."""
    # The third word of SSH_CONNECTION is the address under which the learner's computer has reached this one.
    reached = environment.get("SSH_CONNECTION", "").split()
    host = reached[2] if len(reached) == 4 else socket.gethostname()
    return [
        "This machine has no screen. On your own computer, leave this running in a terminal:",
        f"    ssh -N -L {port}:127.0.0.1:{port} {getpass.getuser()}@{host}",
        "and open there:",
        f"    http://127.0.0.1:{port}{path}?token={token}",
    ]


def _free_port() -> int:
    for port in range(FIRST_PORT, FIRST_PORT + PORTS_TRIED):
        with socket.socket() as tried:
            # As JupyterLab binds: the port of one that has just ended is free.
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tried.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise UsageError(f"no port from {FIRST_PORT} to {FIRST_PORT + PORTS_TRIED - 1} is free", "other servers have them")


def _copy(entry: Entry) -> Path:
    lab, own = entry.notebook("labs"), entry.notebook("work")
    if not lab.exists():
        raise MissingError(f"{lab} is missing", "it was not built", "./course build")
    own.parent.mkdir(exist_ok=True)
    shutil.copyfile(lab, own)
    return own
