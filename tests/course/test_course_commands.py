"""run, check, lab, reset, status, clean, used as a learner uses them, in a clone in miniature."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import psutil
import pytest

from helpers.course.catalogue import find_tasks
from helpers.course.lab import lab_command
from helpers.course.run import RunOptions, open_run
from helpers.errors import UsageError

pytestmark = pytest.mark.timeout(900)


def course(clone: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "COURSE_CACHE": str(clone / "cache"), "COLUMNS": "160"}
    argv = [sys.executable, "-m", "helpers", *arguments]
    return subprocess.run(argv, cwd=clone, env=environment, check=False, capture_output=True, text=True)


def fetch(url: str) -> bytes:
    """The answer of a server that may not listen yet."""
    deadline = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:
                return answer.read()
        except urllib.error.URLError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def solve(clone: Path, old: str = "", new: str = "") -> None:
    """Put the solution, with a replacement, where the learner's lab is."""
    (clone / "work").mkdir(exist_ok=True)
    text = (clone / "solutions" / "01_sample.ipynb").read_text()
    assert old in text
    (clone / "work" / "01_sample.ipynb").write_text(text.replace(old, new))


@pytest.fixture(scope="module")
def finished_run(built_clone: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    clone = Path(shutil.copytree(built_clone, tmp_path_factory.mktemp("run") / "course"))
    done = course(clone, "run", "--json")
    assert done.returncode == 0, done.stderr
    return clone, done.stdout


def test_run_prints_the_contracts_summary_and_nothing_else(finished_run: tuple[Path, str]) -> None:
    summary = json.loads(finished_run[1])
    assert set(summary) == {"tasks", "provenance"}
    (task,) = summary["tasks"]
    assert set(task) == {"task", "outcome", "seconds", "milestones"}
    assert (task["task"], task["outcome"]) == (1, "ok")
    assert task["milestones"] == [
        {"id": "12.1.sample", "state": "reached", "reason": "", "backend": "no engine"},
        {"id": "12.1.gpu", "state": "not-run", "reason": "needs an NVIDIA GPU", "backend": ""},
    ]


def test_run_leaves_notebook_evidence_and_a_page_that_links_them(finished_run: tuple[Path, str]) -> None:
    clone, printed = finished_run
    (folder,) = (clone / "runs").iterdir()
    assert json.loads((folder / "summary.json").read_text()) == json.loads(printed)
    page = (folder / "index.html").read_text()
    for link in ("01_sample/report.html", "01_sample/01_sample.ipynb", "01_sample/evidence/12.1.sample.json"):
        assert f'href="{link}"' in page
        assert (folder / link).exists()
    assert "needs an NVIDIA GPU" in page
    assert "://" not in page


def test_status_shows_a_run_as_demonstrated_and_not_as_the_learners_own(finished_run: tuple[Path, str]) -> None:
    done = course(finished_run[0], "status")
    assert "1 reached, 1 not-run" in done.stdout
    assert "lab not opened" in done.stdout
    assert "Next: ./course lab 1" in done.stdout


def test_a_finished_task_is_not_run_again_and_other_options_are_refused(finished_run: tuple[Path, str]) -> None:
    clone, _ = finished_run
    (folder,) = (clone / "runs").iterdir()
    before = (folder / "01_sample" / "01_sample.ipynb").stat().st_mtime_ns
    done = course(clone, "run", "1", "--out", str(folder))
    assert done.returncode == 0
    assert "Resuming" in done.stderr
    assert "12.1.sample │ reached" in done.stdout
    assert str(folder / "index.html") in done.stdout
    assert (folder / "01_sample" / "01_sample.ipynb").stat().st_mtime_ns == before
    refused = course(clone, "run", "1", "--full", "--out", str(folder))
    assert refused.returncode == 2
    assert "holds something else" in refused.stderr


def test_a_failing_notebook_is_exit_1_with_its_milestones_not_reached(clone: Path) -> None:
    path = clone / "notebooks" / "01_sample.ipynb"
    path.write_text(path.read_text().replace("rows = [1, 2, 3]", "rows = 1 / 0"))
    done = course(clone, "run", "1", "--json", "--out", str(clone / "out"))
    assert done.returncode == 1
    (task,) = json.loads(done.stdout)["tasks"]
    assert task["outcome"] == "error"
    assert [milestone["state"] for milestone in task["milestones"]] == ["not-reached", "not-reached"]
    assert "ZeroDivisionError" in (clone / "out" / "index.html").read_text()


def test_a_missing_engine_leaves_milestones_not_run(clone: Path) -> None:
    path = clone / "notebooks" / "01_sample.ipynb"
    path.write_text(path.read_text().replace("rows = [1, 2, 3]", "raise helpers.EngineUnavailable('no vllm here')"))
    done = course(clone, "run", "1", "--json", "--out", str(clone / "out"))
    assert done.returncode == 1
    (task,) = json.loads(done.stdout)["tasks"]
    assert task["outcome"] == "engine-unavailable"
    assert {milestone["state"] for milestone in task["milestones"]} == {"not-run"}
    assert "no vllm here" in task["milestones"][0]["reason"]


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT to one process")
def test_an_interrupted_run_leaves_no_process_and_resumes(clone: Path) -> None:
    second = clone / "content" / "02_slow"
    shutil.copytree(clone / "content" / "01_sample", second)
    for view in ("notebooks", "labs", "solutions"):
        shutil.copy(clone / view / "01_sample.ipynb", clone / view / "02_slow.ipynb")
    slow = clone / "notebooks" / "02_slow.ipynb"
    quick = slow.read_text()
    slow.write_text(quick.replace("rows = [1, 2, 3]", "import time; time.sleep(600)"))
    runner = subprocess.Popen(
        [sys.executable, "-m", "helpers", "run"],
        cwd=clone,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert runner.stderr is not None
    with runner.stderr:
        while "02_slow" not in (line := runner.stderr.readline()):
            assert line
        below = psutil.Process(runner.pid).children(recursive=True)
        runner.send_signal(signal.SIGINT)
        assert runner.wait(60) == 130
        assert "Stopped" in runner.stderr.read()
    assert psutil.wait_procs(below, timeout=10)[1] == []
    (folder,) = (clone / "runs").iterdir()
    first = (folder / "01_sample" / "task.json").stat().st_mtime_ns
    slow.write_text(quick)
    done = course(clone, "run", "--json")
    assert "Resuming" in done.stderr, done.stderr
    assert [task["outcome"] for task in json.loads(done.stdout)["tasks"]] == ["ok", "ok"]
    assert (folder / "01_sample" / "task.json").stat().st_mtime_ns == first
    assert (folder / "02_slow.attempt-1").is_dir()


def test_a_folder_that_is_being_run_is_left_alone(clone: Path) -> None:
    entries, options = find_tasks(clone), RunOptions()
    folder, _ = open_run(entries, options, None, clone)
    me = {"pid": os.getpid(), "started": psutil.Process().create_time()}
    (folder / "running.json").write_text(json.dumps(me))
    other, resumed = open_run(entries, options, None, clone)
    assert (other != folder, resumed) == (True, False)
    with pytest.raises(UsageError, match="run by another process"):
        open_run(entries, options, folder, clone)
    (folder / "running.json").write_text(json.dumps({**me, "started": 1.0}))
    assert open_run(entries, options, folder, clone) == (folder, True)


def test_check_of_an_unopened_lab_says_how_to_open_it(clone: Path) -> None:
    done = course(clone, "check", "1")
    assert done.returncode == 3
    assert done.stderr.splitlines()[-1] == "Next: ./course lab 1"


def test_check_of_an_unfilled_lab_says_what_is_to_do(clone: Path) -> None:
    assert course(clone, "reset", "1").returncode == 0
    done = course(clone, "check", "1")
    assert done.returncode == 1
    assert "ex1-ttft: to do (time to first token)" in done.stdout
    assert "ex2-gaps: to do" in done.stdout
    assert "milestone" not in done.stdout


def test_check_names_the_mistake_and_never_the_solution(clone: Path) -> None:
    solve(clone, "chunk_s[0] - sent_s", "chunk_s[-1] - sent_s")
    done = course(clone, "check", "1")
    assert done.returncode == 1
    assert "Likely mistake: You took the last chunk" in done.stdout
    assert "ex2-gaps: holds" in done.stdout
    assert "chunk_s[0] - sent_s" not in done.stdout
    assert "1 of 2 exercises hold. Next: ex1-ttft (time to first token)." in done.stdout
    status = course(clone, "status").stdout
    assert "1 of 2 hold" in status
    assert "Open in task 1: ex1-ttft" in status
    assert "Next: ./course check 1" in status


def test_check_survives_a_lab_that_does_not_parse_and_one_that_is_no_notebook(clone: Path) -> None:
    solve(clone, "return chunk_s[0] - sent_s", "return chunk_s[0] -")
    done = course(clone, "check", "1")
    assert done.returncode == 1
    assert "ex1-ttft: the function is not there (ex1-ttft: SyntaxError" in done.stdout
    assert "ex2-gaps: holds" in done.stdout
    (clone / "work" / "01_sample.ipynb").write_text("{")
    damaged = course(clone, "check", "1")
    assert damaged.returncode == 1
    assert "./course reset" in damaged.stderr


def test_a_solved_lab_is_run_and_counts_as_the_learners_own_until_it_changes(clone: Path) -> None:
    solve(clone)
    done = course(clone, "check", "1")
    assert done.returncode == 0, done.stdout
    assert "Your lab from top to bottom: ok" in done.stdout
    assert "milestone 12.1.sample: reached" in done.stdout
    assert "Everything that can be done here is done." in course(clone, "status").stdout
    solve(clone, "return chunk_s[0]", "return 0 + chunk_s[0]")
    assert "lab changed since the last check" in course(clone, "status").stdout


def test_reset_keeps_every_version(clone: Path) -> None:
    solve(clone)
    course(clone, "reset", "1")
    course(clone, "reset", "01_sample")
    work = clone / "work"
    assert (work / "01_sample.ipynb").read_bytes() == (clone / "labs" / "01_sample.ipynb").read_bytes()
    assert (work / "01_sample.before-reset-1.ipynb").read_bytes() == (
        clone / "solutions" / "01_sample.ipynb"
    ).read_bytes()
    assert (work / "01_sample.before-reset-2.ipynb").exists()


def test_clean_removes_what_is_made_again_and_nothing_else(clone: Path) -> None:
    solve(clone)
    for path in (
        "runs/a/01_sample.attempt-1/x",
        "runs/a/summary.json",
        "cache/gguf/y",
        "cache/other/z",
        ".ruff_cache/q",
    ):
        (clone / path).parent.mkdir(parents=True, exist_ok=True)
        (clone / path).write_text("x" * 1000)
    done = course(clone, "clean")
    assert done.returncode == 0
    assert not (clone / "cache" / "gguf").exists()
    assert not (clone / ".ruff_cache").exists()
    assert not (clone / "runs" / "a" / "01_sample.attempt-1").exists()
    assert (clone / "runs" / "a" / "summary.json").exists()
    assert (clone / "cache" / "other" / "z").exists()
    assert (clone / "work" / "01_sample.ipynb").exists()
    assert f"more with --runs: {clone / 'runs'}" in done.stdout
    course(clone, "clean", "--runs")
    assert not (clone / "runs").exists()


def test_clean_can_say_what_would_go_and_keeps_engines_unless_asked(clone: Path) -> None:
    for path in ("cache/environments/vllm/x", "cache/gguf/y"):
        (clone / path).parent.mkdir(parents=True, exist_ok=True)
        (clone / path).write_text("x" * 3_000_000)
    said = course(clone, "clean", "--dry-run").stdout
    assert "3.0 MB would be freed" in said
    assert (clone / "cache" / "gguf").exists()
    kept = course(clone, "clean").stdout
    assert "3.0 MB freed" in kept
    assert f"3.0 MB more with --engines: {clone / 'cache' / 'environments'}" in kept
    assert "3.0 MB freed" in course(clone, "clean", "--engines").stdout
    assert not (clone / "cache" / "environments").exists()


def test_unknown_tasks_and_engines_are_wrong_use(clone: Path) -> None:
    assert course(clone, "run", "7").returncode == 2
    assert course(clone, "run", "--engine", "lama.cpp").returncode == 2
    assert course(clone, "reset", "nothing").returncode == 2


def test_lab_serves_the_learners_copy_on_loopback_only_and_ends_with_its_process(clone: Path) -> None:
    assert "--ServerApp.ip=127.0.0.1" in lab_command(clone, None)
    environment = {**os.environ, "JUPYTER_TOKEN": "for-the-test", "BROWSER": "true"}
    server = subprocess.Popen(
        [sys.executable, "-m", "helpers", "lab", "1"],
        cwd=clone,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert server.stderr is not None
    try:
        port = ""
        for line in server.stderr:
            if "http://127.0.0.1:" in line:
                port = line.split("http://127.0.0.1:")[1].split("/")[0]
                assert "work/01_sample.ipynb" in line
                break
        assert port, "the server ended"
        # What it writes meanwhile must not fill the pipe.
        threading.Thread(target=server.stderr.read, daemon=True).start()
        url = f"http://127.0.0.1:{port}/api/contents/work/01_sample.ipynb?content=0&token=for-the-test"
        assert json.loads(fetch(url))["type"] == "notebook"
        listening = {
            connection.laddr.ip
            for process in [psutil.Process(server.pid), *psutil.Process(server.pid).children(recursive=True)]
            for connection in process.net_connections()
            if connection.status == psutil.CONN_LISTEN
        }
        assert listening == {"127.0.0.1"}
    finally:
        below = psutil.Process(server.pid).children(recursive=True)
        # The process that was started is the server itself, so ending it alone leaves nothing.
        server.terminate()
        deadline = time.monotonic() + 30
        try:
            server.wait(30)
        finally:
            left = psutil.wait_procs(below, timeout=max(0.0, deadline - time.monotonic()))[1]
            for process in left:
                process.kill()
            server.kill()
            server.wait()
            server.stderr.close()
    assert not left
