"""Nothing is left behind, however the engine, its supervisor or the Python that started them ends."""

import gc
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from helpers.config import ROOT
from helpers.engines import process as process_module
from helpers.engines.failures import explain
from helpers.engines.ports import HeldPort
from helpers.engines.process import KEPT_LOGS, EngineProcess, new_log
from helpers.errors import EngineUnavailable, MissingError
from tests.engines.conftest import fake_argv, is_gone, until

OWNER = """
import os, signal, sys, time
from pathlib import Path
from helpers.engines.process import EngineProcess
process = EngineProcess(sys.argv[2:], {}, Path(sys.argv[1]))
print(process.pid, flush=True)
"""


def start(tmp_path: Path, **options: object) -> EngineProcess:
    with HeldPort() as port:
        return EngineProcess(fake_argv(port.number, **options), {}, tmp_path / "engine.log")


def start_with_worker(tmp_path: Path, **options: object) -> tuple[EngineProcess, int]:
    file = tmp_path / "worker"
    process = start(tmp_path, worker=file, **options)
    assert until(file.exists)
    return process, int(file.read_text())


def test_it_runs_in_a_group_of_its_own_with_its_words_in_the_log(tmp_path: Path) -> None:
    process = start(tmp_path, say="hello")
    assert process.exit_code is None
    assert os.getpgid(process.pid) == process.pid
    assert until(lambda: "hello" in process.log_text())
    process.stop()
    assert is_gone(process.pid)
    assert process.exit_code == 128 + signal.SIGTERM


def test_its_exit_code_is_kept(tmp_path: Path) -> None:
    process = start(tmp_path, exit=7)
    assert process.wait(10) == 7
    process.stop()


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match=r"(?s)no-such-program.*No such file"):
        EngineProcess(["no-such-program"], {}, tmp_path / "log")


def test_a_log_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="nowhere"):
        EngineProcess(["true"], {}, tmp_path / "nowhere" / "log")


def test_the_environment_is_added_to_ours(tmp_path: Path) -> None:
    code = "import os, sys; sys.exit(int(os.environ['GIVEN']) + ('PATH' in os.environ))"
    process = EngineProcess([sys.executable, "-c", code], {"GIVEN": "4"}, tmp_path / "log")
    assert process.wait(10) == 5
    process.stop()


def test_stop_ends_a_deaf_engine_and_its_workers_within_two_seconds(tmp_path: Path) -> None:
    process, worker = start_with_worker(tmp_path, deaf=1)
    started_s = time.monotonic()
    process.stop()
    assert time.monotonic() - started_s < 2.0
    assert is_gone(process.pid)
    assert until(lambda: is_gone(worker))
    process.stop()


def test_workers_go_when_the_engine_dies_by_itself(tmp_path: Path) -> None:
    process, worker = start_with_worker(tmp_path)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait(10) == 128 + signal.SIGKILL
    assert until(lambda: is_gone(worker))
    process.stop()


def test_the_engine_and_its_workers_go_when_its_supervisor_is_killed(tmp_path: Path) -> None:
    process, worker = start_with_worker(tmp_path, deaf=1)
    psutil.Process(process.pid).parent().kill()
    assert process.wait(10) == 128 + signal.SIGKILL
    process.stop()
    assert until(lambda: is_gone(process.pid) and is_gone(worker))
    assert "course reaper: the supervisor was killed" in process.log_text()


def test_an_engine_whose_reaper_was_killed_ends_as_always(tmp_path: Path) -> None:
    process, worker = start_with_worker(tmp_path)
    (reaper,) = [child for child in psutil.Process(process.supervisor_pid).children() if child.pid != process.pid]
    reaper.kill()
    process.stop()
    assert is_gone(process.pid)
    assert until(lambda: is_gone(worker))
    assert process.exit_code == 128 + signal.SIGTERM


def test_it_goes_with_the_last_reference(tmp_path: Path) -> None:
    process = start(tmp_path)
    pid = process.pid
    del process
    gc.collect()
    assert is_gone(pid)


def test_a_forked_copy_of_the_owner_leaves_it_running(tmp_path: Path) -> None:
    code = OWNER + "child = os.fork()\nif child == 0:\n    sys.exit()\nos.waitpid(child, 0)\nprint(process.exit_code)"
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "log"), sys.executable, "-c", "import time; time.sleep(60)"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split()[1] == "None"


def test_a_forked_copy_that_outlives_its_owner_does_not_keep_it(tmp_path: Path) -> None:
    ending = (
        "child = os.fork()\nif child == 0:\n    os.close(1)\n    time.sleep(6)\nos.kill(os.getpid(), signal.SIGKILL)"
    )
    argv = [sys.executable, "-c", OWNER + ending, str(tmp_path / "log"), *fake_argv(0)]
    owner = subprocess.run(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    assert until(lambda: is_gone(int(owner.stdout)), 5.0)


@pytest.mark.parametrize(
    "ending",
    [
        pytest.param("os.kill(os.getpid(), signal.SIGKILL)", id="killed"),
        pytest.param("os.kill(os.getpid(), signal.SIGTERM)", id="terminated"),
        pytest.param("raise KeyboardInterrupt", id="interrupted"),
        pytest.param("os._exit(0)", id="left at once"),
        pytest.param("pass", id="ended"),
    ],
)
def test_it_goes_with_the_python_that_started_it(tmp_path: Path, ending: str) -> None:
    argv = [sys.executable, "-c", OWNER + ending, str(tmp_path / "log"), *fake_argv(0)]
    owner = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    assert until(lambda: is_gone(int(owner.stdout)))


def test_a_hundred_cycles_leave_no_process(tmp_path: Path) -> None:
    before = {child.pid for child in psutil.Process().children(recursive=True)}

    def kill_engine(process: EngineProcess) -> None:
        os.kill(process.pid, signal.SIGKILL)
        process.wait(10)

    endings = [EngineProcess.stop, kill_engine, lambda process: psutil.Process(process.pid).parent().kill()]
    pids = []
    for cycle in range(100):
        process = start(tmp_path)
        pids.append(process.pid)
        endings[cycle % len(endings)](process)
        process.stop()
    assert until(lambda: all(is_gone(pid) for pid in pids))
    assert {child.pid for child in psutil.Process().children(recursive=True)} <= before


def test_logs_are_kept_up_to_a_number(tmp_path: Path) -> None:
    for _ in range(KEPT_LOGS + 5):
        new_log(tmp_path / "logs", "fake").touch()
    assert len(list((tmp_path / "logs").iterdir())) == KEPT_LOGS


def test_a_log_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(MissingError, match="logs cannot be kept"):
        new_log(tmp_path / "file", "fake")


def test_one_that_stays_outlives_its_owner_until_its_supervisor_is_told(tmp_path: Path) -> None:
    code = OWNER + "process.leave(); print(process.supervisor_pid, flush=True)"
    with HeldPort() as port:
        argv = [sys.executable, "-c", code, str(tmp_path / "log"), *fake_argv(port.number)]
        done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True, timeout=30)
    engine, supervisor = map(int, done.stdout.split())
    assert not is_gone(engine)
    assert psutil.Process(supervisor).terminal() is None
    os.kill(supervisor, signal.SIGTERM)
    assert until(lambda: is_gone(engine) and is_gone(supervisor), 2.0)


def test_the_watchdog_ends_an_engine_before_the_host_has_no_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal: 1000000 kB\nMemAvailable: 500000 kB\n")
    monkeypatch.setattr(process_module, "MEMINFO", meminfo)
    with HeldPort() as port:
        process = EngineProcess(fake_argv(port.number), {}, tmp_path / "engine.log", floor_bytes=300 * 10**6)
    assert process.wait(0.6) is None
    meminfo.write_text("MemTotal: 1000000 kB\nMemAvailable: 200000 kB\n")
    assert process.wait(10) == 128 + signal.SIGKILL
    error = explain("vllm", process.log_text(), process.exit_code, (), str(process.log))
    assert "before the host ran out of memory: 204 MB were left" in str(error)
    process.stop()


def test_a_container_is_ended_by_its_own_command_before_the_start_and_after_the_end(tmp_path: Path) -> None:
    calls = tmp_path / "calls"
    stop = ["sh", "-c", f"echo stopped >> {calls}"]
    with HeldPort() as port:
        process = EngineProcess(fake_argv(port.number), {}, tmp_path / "engine.log", stop=stop)
    assert calls.read_text().split() == ["stopped"]
    process.stop()
    assert calls.read_text().split() == ["stopped"] * 2
