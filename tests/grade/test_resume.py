"""Killed at any moment, the same command goes on: nothing is lost, nothing is done or counted twice."""

import json
import random
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.grade.conftest import grade_command, run_grading
from tests.grade.hostile import HOSTILE

pytestmark = pytest.mark.timeout(600)
KILLS = 20
NAME = "01_sample.ipynb"


def write_class(folder: Path, clone: Path) -> None:
    """Two notebooks that run, and ten files that are refused at once: units short enough to kill between."""
    for learner in ("honest", "unfilled"):
        HOSTILE[learner].write(folder / learner / NAME, clone)
    for number in range(10):
        (folder / f"broken-{number}").mkdir()
        (folder / f"broken-{number}" / NAME).write_text(f"no notebook {number}")


def kept(unit: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in unit.items() if name != "seconds"}


def test_killing_it_at_random_moments_loses_and_doubles_nothing(grade_clone: Path, tmp_path: Path) -> None:
    folder = tmp_path / "submissions"
    write_class(folder, grade_clone)
    whole = run_grading(grade_clone, folder, tmp_path / "whole")
    out = tmp_path / "killed"
    argv, environment = grade_command(grade_clone, folder, out, "--jobs", "2")
    moments = random.Random(7)
    alive_after = []
    for _ in range(KILLS):
        process = subprocess.Popen(
            argv, cwd=grade_clone, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            process.wait(timeout=moments.uniform(0.05, 2.0))
        except subprocess.TimeoutExpired:
            below = psutil.Process(process.pid).children(recursive=True)
            process.send_signal(signal.SIGKILL)
            process.wait()
            alive_after += psutil.wait_procs(below, timeout=20)[1]
    assert alive_after == []
    resumed = run_grading(grade_clone, folder, out, "--jobs", "2")
    assert {learner: kept(unit) for learner, unit in resumed.items()} == {
        learner: kept(unit) for learner, unit in whole.items()
    }
    for name in ("grades.csv", "totals.csv"):
        assert (out / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert not (out / "running.json").exists()


def test_only_what_changed_is_graded_again(grade_clone: Path, tmp_path: Path) -> None:
    folder, out = tmp_path / "submissions", tmp_path / "graded"
    for number in range(3):
        (folder / f"broken-{number}").mkdir(parents=True)
        (folder / f"broken-{number}" / NAME).write_text(f"no notebook {number}")
    run_grading(grade_clone, folder, out)
    stamps = {path: path.stat().st_mtime_ns for path in out.glob("units/*/*/unit.json")}
    failed = out / "units" / "broken-0" / "01_sample" / "unit.json"
    failed.write_text(json.dumps(json.loads(failed.read_text()) | {"failure": "2 times, code -9"}))
    stamps[failed] = failed.stat().st_mtime_ns
    (folder / "broken-1" / NAME).write_text("something else that is no notebook")
    (folder / "broken-2" / NAME).unlink()
    units = run_grading(grade_clone, folder, out)
    again = [path.parent.parent.name for path, stamp in stamps.items() if path.stat().st_mtime_ns != stamp]
    assert sorted(again) == ["broken-0", "broken-1"]  # what the machine could not do is tried again
    assert sorted(units) == ["broken-0", "broken-1"]
    assert not (out / "units" / "broken-2" / "01_sample" / "result.json").exists()
    assert "broken-2" not in (out / "totals.csv").read_text()


def test_two_gradings_cannot_share_a_folder(grade_clone: Path, tmp_path: Path) -> None:
    folder, out = tmp_path / "submissions", tmp_path / "graded"
    (folder / "a").mkdir(parents=True)
    (folder / "a" / NAME).write_text("no notebook")
    me = psutil.Process()
    out.mkdir()
    running = {"pid": me.pid, "started": me.create_time(), "scratch": str(tmp_path / "none")}
    (out / "running.json").write_text(json.dumps(running))
    argv, environment = grade_command(grade_clone, folder, out)
    done = subprocess.run(argv, cwd=grade_clone, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert f"is being graded by process {me.pid}" in done.stderr


def test_ctrl_c_leaves_nothing_running_and_can_be_resumed(grade_clone: Path, tmp_path: Path) -> None:
    folder, out = tmp_path / "submissions", tmp_path / "graded"
    HOSTILE["endless-loop"].write(folder / "a" / NAME, grade_clone)
    argv, environment = grade_command(grade_clone, folder, out)
    process = subprocess.Popen(argv, cwd=grade_clone, env=environment, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    with process.stderr:
        deadline = time.monotonic() + 60
        while not (out / "units" / "a" / "01_sample" / "executed.ipynb").exists():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        below = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130
        assert "the same command goes on from there" in process.stderr.read()
    assert psutil.wait_procs(below, timeout=20)[1] == []
