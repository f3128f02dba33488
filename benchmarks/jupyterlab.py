"""How long does a learner wait: from `./course lab` to the first executed cell in a browser?

    python benchmarks/jupyterlab.py [--repeats 5]

Half a minute a repeat; needs Chromium. A lab of a copy of the course is opened in a new browser profile each time.
Prints seconds since the command, and exits with 1 if the median of the last column misses its goal.
"""

import argparse
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from helpers.config import ROOT
from helpers.course.browser import open_browser

GOAL_S = 20.0
LIMIT_MS = 180_000
LAB = "01_engine_benchmark"
MOMENTS = ("server listens", "page shows the lab", "kernel idle", "first cell executed")


def wait_for(port: int) -> None:
    """Until somebody listens."""
    deadline_s = time.monotonic() + LIMIT_MS / 1000
    while time.monotonic() < deadline_s:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError("JupyterLab does not listen")


def measure(clone: Path) -> list[float]:
    """Seconds from the command to each of `MOMENTS`."""
    environment = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
    environment["JUPYTER_CONFIG_DIR"] = str(clone / "jupyter-settings")
    with open_browser() as browser, (clone / "lab.log").open("wb") as log:
        page = browser.new_page()
        page.set_default_timeout(LIMIT_MS)
        begun_s = time.perf_counter()
        argv = [sys.executable, "-m", "helpers", "lab", "1"]
        server = subprocess.Popen(argv, cwd=clone, env=environment, stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            assert server.stdout is not None
            url = next(line.strip() for line in server.stdout if line.strip().startswith("http://"))
            wait_for(urlsplit(url).port or 0)
            moments = [time.perf_counter() - begun_s]
            page.goto(url)
            page.wait_for_selector(".jp-RenderedMarkdown h1")
            moments.append(time.perf_counter() - begun_s)
            page.wait_for_selector("#jp-main-statusbar >> text=| Idle")
            moments.append(time.perf_counter() - begun_s)
            page.locator(".jp-CodeCell .cm-content").first.click()
            page.keyboard.press("Control+Enter")
            page.wait_for_function(
                "[...document.querySelectorAll('.jp-InputPrompt')].some(e => /\\[1\\]/.test(e.textContent))"
            )
            moments.append(time.perf_counter() - begun_s)
        finally:
            server.terminate()
            server.wait(30)
    return moments


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    found = []
    for number in range(repeats):
        with tempfile.TemporaryDirectory() as folder:
            clone = Path(folder) / "course"
            for name in ("helpers", "content", "labs"):
                shutil.copytree(ROOT / name, clone / name, ignore=shutil.ignore_patterns("__pycache__"))
            found.append(measure(clone))
        print(f"{number + 1}: " + ", ".join(f"{name} {s:.1f} s" for name, s in zip(MOMENTS, found[-1], strict=True)))
    medians = [median(one[place] for one in found) for place in range(len(MOMENTS))]
    print("median: " + ", ".join(f"{name} {s:.1f} s" for name, s in zip(MOMENTS, medians, strict=True)))
    print(f"load average {os.getloadavg()[0]:.1f}; the goal is {GOAL_S:g} s")
    return 0 if medians[-1] <= GOAL_S else 1


if __name__ == "__main__":
    sys.exit(main())
