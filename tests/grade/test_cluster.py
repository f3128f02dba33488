"""The same units on a dask cluster; a worker's death costs a retry, not a mark."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from helpers.errors import MissingError
from helpers.grade import cluster
from tests.grade.conftest import run_grading
from tests.grade.hostile import HOSTILE

pytestmark = pytest.mark.timeout(300)
NAME = "01_sample.ipynb"
CLUSTER = """
import sys
from distributed import LocalCluster
if __name__ == "__main__":
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1") as c:
        print(c.scheduler_address, flush=True)
        sys.stdin.read()
"""


def kill_a_worker_in_work(cluster: int, killed: list[int], stop: threading.Event) -> None:
    """Kill the first worker of the cluster that grades a unit."""
    while not stop.wait(0.05) and not killed:
        for process in psutil.Process(cluster).children(recursive=True):
            try:
                if "helpers.grade.unit_child" in process.cmdline():
                    worker = process.parent()
                    if worker is not None and time.time() - process.create_time() > 0.3:
                        os.kill(worker.pid, signal.SIGKILL)
                        killed.append(worker.pid)
                        return
            except (psutil.NoSuchProcess, psutil.ZombieProcess):
                continue


def test_a_dying_worker_costs_a_retry_and_no_mark(grade_clone: Path, tmp_path: Path) -> None:
    folder = tmp_path / "submissions"
    for learner in ("honest", "unfilled"):
        HOSTILE[learner].write(folder / learner / NAME, grade_clone)
    (folder / "broken").mkdir()
    (folder / "broken" / NAME).write_text("no notebook")
    script = tmp_path / "cluster.py"
    script.write_text(CLUSTER)
    environment = {**os.environ, "PYTHONPATH": str(grade_clone)}
    local = subprocess.Popen(
        [sys.executable, str(script)],
        cwd=grade_clone,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert local.stdin is not None
    assert local.stdout is not None
    killed: list[int] = []
    stop = threading.Event()
    with local.stdout:
        address = local.stdout.readline().strip()
        killer = threading.Thread(target=kill_a_worker_in_work, args=(local.pid, killed, stop))
        killer.start()
        try:
            there = run_grading(grade_clone, folder, tmp_path / "there", "--scheduler", address)
        finally:
            stop.set()
            killer.join()
            local.stdin.close()
            local.wait(timeout=60)
    assert len(killed) == 1
    here = run_grading(grade_clone, folder, tmp_path / "here")
    for learner, unit in here.items():
        assert [(item["id"], item["points"]) for item in there[learner]["items"]] == [
            (item["id"], item["points"]) for item in unit["items"]
        ]
        assert there[learner]["outcome"] == unit["outcome"]
    assert (tmp_path / "there" / "units" / "honest" / "01_sample" / "executed.ipynb").exists()
    assert (tmp_path / "there" / "units" / "honest" / "01_sample" / "run" / "evidence" / "12.1.sample.json").exists()


def test_nobody_at_the_address_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "CONNECT_LIMIT_S", 0.5)
    with pytest.raises(MissingError, match="no dask scheduler at"):
        cluster.run_on_cluster("tcp://127.0.0.1:9", [], lambda request: None)
