"""The pictures of the README: `.venv/bin/python docs/pictures/make.py`, about a minute; needs Chromium.

The report is that of the recorded runs, which were made on an idle machine; the chat page and the notebook run here.
"""

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import nbformat

import helpers
from helpers.config import ROOT
from helpers.course.browser import open_browser
from helpers.course.metadata import METADATA

FOLDER = Path(__file__).resolve().parent
CELLS = (
    "import helpers\nfrom helpers.nano.engine import load_engine",
    "engine = load_engine('course', max_num_seqs=4, max_num_batched_tokens=96, num_blocks=96)\n"
    "laps = helpers.race({'continuous': engine}, helpers.mixed_load(10, seed=1, shared=tuple(range(20, 60))))",
    "helpers.StepExplorer(engine.trace.records)",
)
SIZE = {"width": 1200, "height": 720}
LIMIT_MS = 120_000
QUESTIONS = ("What is continuous batching?", "Why does the KV cache matter?")
NO_NEWS = {"@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False}}


def main() -> int:
    """Make all pictures."""
    with tempfile.TemporaryDirectory() as folder, open_browser() as browser:
        with page_at(browser, make_report(Path(folder, "report")).as_uri(), ".plot.js-plotly-plot") as page:
            shoot(page, "report")
            page.locator(".plot").nth(1).screenshot(path=FOLDER / "report-load.png")
        make_chat_picture(browser, Path(folder, "gateway.sqlite"))
        make_notebook_picture(browser, Path(folder, "notebook"))
    for path in sorted(FOLDER.glob("*.png")):
        print(f"{path.stat().st_size / 1e3:6.0f} kB  {path.name}")
    return 0


def make_report(folder: Path) -> Path:
    """The report of the bundles in recorded/."""
    folders = sorted(path.parent for path in (ROOT / "recorded").glob("*/summary.json"))
    report = helpers.build_report([(path, helpers.load_bundle(path)) for path in folders])
    return helpers.write_report(report, folder)[0]


def make_chat_picture(browser: Any, database: Path) -> None:
    """The chat page in front of the embedded engine, with two questions answered."""
    with (
        helpers.launch("llama.cpp", model="course") as server,
        helpers.GatewayProcess(
            *("--upstream", f"llama.cpp={server.url}", "--database", f"sqlite:///{database}", "--no-keys"), ui=True
        ) as gateway,
        page_at(browser, gateway.root, "textarea.composer-input") as page,
    ):
        page.wait_for_function("window.did_handshake === true")
        for count, question in enumerate(QUESTIONS, start=1):
            page.fill("textarea.composer-input", question)
            page.keyboard.press("Enter")
            page.wait_for_function(
                "count => document.querySelectorAll('.message.assistant').length === count"
                " && !document.querySelector('.message.writing')",
                arg=count,
            )
        page.reload()
        page.wait_for_selector(".conversation-title")
        shoot(page, "chat")


def make_notebook_picture(browser: Any, folder: Path) -> None:
    """JupyterLab with what a scheduler did, step by step, in an engine that ran in that notebook."""
    settings = folder / ".jupyter"
    settings.mkdir(parents=True)
    (settings / "overrides.json").write_text(json.dumps(NO_NEWS))
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS], metadata=METADATA)
    nbformat.write(notebook, folder / "batching.ipynb")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    argv = [sys.executable, "-m", "jupyterlab", "--no-browser", "--ServerApp.ip=127.0.0.1", "--ServerApp.token="]
    argv += ["--ServerApp.allow_root=True", f"--ServerApp.port={port}", f"--ServerApp.root_dir={folder}"]
    argv += ["--LabApp.news_url=None", f"--LabApp.app_settings_dir={settings}"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "JUPYTER_CONFIG_DIR": str(settings)}
    server = subprocess.Popen(argv, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(f"http://127.0.0.1:{port}/api")
        address = f"http://127.0.0.1:{port}/lab/tree/batching.ipynb"
        with page_at(browser, address, "#jp-main-statusbar >> text=| Idle") as page:
            page.locator(".lm-MenuBar-item", has_text="Run").click()
            page.locator('.lm-Menu-item[data-command="runmenu:run-all"]').click()
            page.locator(".course-steps").scroll_into_view_if_needed()
            page.wait_for_selector("#jp-main-statusbar >> text=| Idle")
            shoot(page, "notebook")
    finally:
        server.terminate()
        server.wait()


@contextlib.contextmanager
def page_at(browser: Any, address: str, selector: str) -> Iterator[Any]:
    """A page whose selected part is there."""
    page = browser.new_page(viewport=SIZE)
    page.set_default_timeout(LIMIT_MS)
    page.goto(address)
    page.wait_for_selector(selector)
    yield page
    page.close()


def shoot(page: Any, name: str) -> None:
    """What is in view, as NAME.png."""
    page.screenshot(path=FOLDER / f"{name}.png", animations="disabled")


def wait_for(address: str) -> None:
    """Return when somebody answers there."""
    deadline_s = time.monotonic() + LIMIT_MS / 1000
    while time.monotonic() < deadline_s:
        with contextlib.suppress(URLError, ConnectionError):
            urlopen(address).close()
            return
        time.sleep(0.2)
    raise SystemExit(f"nobody answers at {address}")


if __name__ == "__main__":
    sys.exit(main())
