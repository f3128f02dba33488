"""JupyterLab as `./course lab` starts it, on a copy of the course, and a browser in front of it."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

from helpers.course.metadata import METADATA

START_LIMIT_S = 120.0
STEP_LIMIT_MS = 120_000
"""For one step in the browser; only a machine that is very busy comes near it."""


@dataclass
class Laboratory:
    """A running JupyterLab.

    Attributes:
        clone: the copy of the course that it serves.
        url: of the folder of labs, with the token, as it was printed for the learner.
    """

    clone: Path
    url: str

    def address(self, notebook: str) -> str:
        """Where a notebook in work/ opens, in a workspace of its own."""
        return self.url.replace("/lab/tree/work", f"/lab/workspaces/{Path(notebook).stem}/tree/work/{notebook}")


@contextmanager
def serve(clone: Path) -> Iterator[Laboratory]:
    """Run `lab` on a machine without a screen, and read from its words where it is."""
    environment = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
    environment.pop("JUPYTER_TOKEN", None)
    # What is clicked here must not become the settings of whoever runs the tests.
    environment["JUPYTER_CONFIG_DIR"] = str(clone / "jupyter-settings")
    with (clone / "lab.log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "helpers", "lab"],
            cwd=clone,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    assert server.stdout is not None
    try:
        with server.stdout:
            url = next(line.strip() for line in server.stdout if line.strip().startswith("http://127.0.0.1:"))
        _wait_until_it_listens(server, urlsplit(url).port or 0)
        yield Laboratory(clone, url)
    finally:
        below = psutil.Process(server.pid).children(recursive=True) if server.poll() is None else []
        server.terminate()
        server.wait(30)
        psutil.wait_procs(below, timeout=20)


def _wait_until_it_listens(server: "subprocess.Popen[str]", port: int) -> None:
    deadline_s = time.monotonic() + START_LIMIT_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert server.poll() is None, "JupyterLab ended; see lab.log"
            assert time.monotonic() < deadline_s
            time.sleep(0.1)
        else:
            return


def write_notebook(path: Path, cells: list[str]) -> None:
    """A notebook of code cells without outputs."""
    built = [
        {"cell_type": "code", "execution_count": None, "id": f"c{n}", "metadata": {}, "outputs": [], "source": source}
        for n, source in enumerate(cells)
    ]
    notebook = {"cells": built, "metadata": METADATA, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(notebook), encoding="utf-8")


@dataclass
class Desk:
    """A browser page with JupyterLab in it, and what it complained about."""

    page: Any
    problems: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.page.set_default_timeout(STEP_LIMIT_MS)
        self.page.on("pageerror", lambda error: self.problems.append(f"error: {error}"))
        # Warnings are left out: on a busy machine JupyterLab says of each of its plugins how long it took.
        self.page.on("console", lambda said: self.problems.append(said.text) if said.type == "error" else None)
        self.page.on("request", lambda request: self.hosts.add(urlsplit(request.url).hostname or ""))

    def open(self, address: str) -> None:
        """Open a notebook and wait until its kernel is ready."""
        self.page.goto(address)
        self.wait_idle()

    def wait_idle(self) -> None:
        """The kernel has nothing to do."""
        self.page.wait_for_selector("#jp-main-statusbar >> text=| Idle")

    def run_all(self) -> None:
        """Run all cells, by the menu."""
        self.page.locator(".lm-MenuBar-item", has_text="Run").click()
        self.page.locator('.lm-Menu-item[data-command="runmenu:run-all"]').click()

    def change_theme(self, name: str) -> None:
        """By the menu, as a learner does."""
        self.page.locator(".lm-MenuBar-item", has_text="Settings").click()
        self.page.locator(".lm-Menu-item", has_text="Theme").first.hover()
        self.page.locator(".lm-Menu-itemLabel").get_by_text(name, exact=True).click()
        self.page.wait_for_selector(f'body[data-jp-theme-name="{name}"]', state="attached")

    @property
    def changed(self) -> bool:
        """Whether JupyterLab shows the open notebook as changed."""
        return bool(self.page.locator(".lm-TabBar-tab.lm-mod-current.jp-mod-dirty").count())
