"""The jail itself, with plain programs in it; what this machine does not give is skipped by name."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from helpers.config import ROOT
from helpers.grade.jail import Jail
from helpers.grade.limits import UnitLimits
from helpers.grade.sandbox import UIDS, Sandbox, make_jail, probe, take_slot

LIMITS = UnitLimits(data_bytes=400_000_000, processes=50, file_bytes=1_000_000, cpu_s=20)
TOKEN = "98764"


@pytest.fixture
def jail(tmp_path: Path) -> Jail:
    if not probe().namespaces:
        pytest.skip("this machine gives no namespaces")
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "cases.json").write_text("{}")
    return make_jail(probe(), LIMITS, tmp_path / "scratch", take_slot(), hide=(secret,))


def run_in(jail: Jail, code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        jail.command(sys.executable, "-I", "-S", "-c", code), capture_output=True, text=True, timeout=60, check=False
    )


def said(jail: Jail, code: str) -> str:
    done = run_in(jail, code)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_program_sees_what_it_needs_and_nothing_else(jail: Jail, tmp_path: Path) -> None:
    there = [ROOT / "helpers" / "__init__.py", ROOT / "labs", Path(sys.executable)]
    gone = [tmp_path / "secret" / "cases.json", tmp_path / "x", ROOT / "solutions" / "01_engine_benchmark.ipynb"]
    code = f"import os; print([os.path.exists(path) for path in {[str(path) for path in (*there, *gone)]}])"
    assert said(jail, code) == str([True] * 3 + [False] * 3)
    master = ROOT / "content" / "01_engine_benchmark" / "lab.py"
    assert said(jail, f"print(repr(open({str(master)!r}).read()))") == "''"


@pytest.mark.parametrize("there", ["link", "file"])
def test_a_file_for_the_program_is_not_written_through_what_lies_there(jail: Jail, tmp_path: Path, there: str) -> None:
    private, elsewhere, target = tmp_path / "connection.json", tmp_path / "elsewhere", Path(jail.folder, "copy.json")
    private.write_text("key")
    elsewhere.write_text("untouched")
    target.symlink_to(elsewhere) if there == "link" else target.write_text("old")
    reading = "import sys; print(open(sys.argv[2]).read())"
    argv = (sys.executable, "-I", "-S", "-c", reading, "-f", str(private))
    command = replace(jail, copy=("-f", str(target))).command(*argv)
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.strip() == "key", done.stderr
    assert elsewhere.read_text() == "untouched"
    assert target.stat().st_mode & 0o777 == 0o600


def test_only_its_own_folders_can_be_written(jail: Jail) -> None:
    code = f"""
import os
for path in ({str(ROOT / "labs" / "x")!r}, "/etc/x", "/usr/x", "/x"):
    try:
        open(path, "w")
    except OSError:
        continue
    raise SystemExit(path)
open("mine", "w").write("x")
open("/tmp/mine", "w").write("x")
"""
    assert run_in(jail, code).returncode == 0
    assert Path(jail.folder, "mine").read_text() == "x"


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("bytearray(10**9)", "MemoryError"),
        ("open('large', 'wb').write(b'x' * 2_000_000)", "File too large"),
        ("import os\nfor _ in range(200):\n    os.fork() or os._exit(__import__('time').sleep(9))", "BlockingIOError"),
        ("import os; os.setuid(0)", "PermissionError"),
        ("import os; os.chroot('/')", "PermissionError"),
        ("import os; os.kill(1, 9)", "PermissionError"),
    ],
)
def test_limits_hold(jail: Jail, code: str, error: str) -> None:
    if "setuid" in code and not probe().other_user:
        pytest.skip("not root: there is no other user to come from")
    done = run_in(jail, code)
    assert done.returncode != 0
    assert error in done.stderr or (error == "PermissionError" and "kill" in code and done.returncode == 137)


def test_the_network_is_loopback(jail: Jail) -> None:
    if not probe().network:
        pytest.skip("this machine gives no network of its own")
    code = """
import socket
server = socket.create_server(("127.0.0.1", 0))
socket.create_connection(server.getsockname()).close()
print([name for _, name in socket.if_nameindex()])
"""
    assert said(jail, code) == "['lo']"


def sleepers() -> list[psutil.Process]:
    return [process for process in psutil.process_iter(["cmdline"]) if TOKEN in (process.info["cmdline"] or [])]


def test_everything_ends_with_the_program(jail: Jail) -> None:
    code = f"""
import os, subprocess
subprocess.Popen(["sleep", "{TOKEN}"], start_new_session=True, env={{}})
"""
    assert run_in(jail, code).returncode == 0
    assert sleepers() == []


def test_everything_ends_with_whoever_started_it(jail: Jail) -> None:
    code = f"import subprocess; subprocess.run(['sleep', '{TOKEN}'])"
    process = subprocess.Popen(jail.command(sys.executable, "-I", "-S", "-c", code))
    deadline = time.monotonic() + 30
    while not sleepers():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    psutil.wait_procs(sleepers(), timeout=10)
    assert sleepers() == []


def test_exit_codes_pass_through_and_interrupts_reach_the_program(jail: Jail) -> None:
    assert run_in(jail, "import os; os._exit(7)").returncode == 7
    code = "import sys, time; print('here', flush=True); time.sleep(30)"
    process = subprocess.Popen(
        jail.command(sys.executable, "-I", "-S", "-c", code),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert process.stdout is not None
    with process.stdout:
        process.stdout.readline()
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(timeout=20) != 0


def test_without_namespaces_the_limits_still_hold(tmp_path: Path) -> None:
    bare = make_jail(Sandbox(False, False, False), LIMITS, tmp_path / "scratch", 0)
    assert "MemoryError" in run_in(bare, "bytearray(10**9)").stderr
    only = replace(bare, environment={"LC_ALL": "C.UTF-8"})
    assert said(only, "import os; print(dict(os.environ))") == "{'LC_ALL': 'C.UTF-8'}"


def test_what_a_machine_does_not_give_is_said() -> None:
    assert Sandbox(True, True, True).missing() == []
    assert len(Sandbox(False, False, False).missing()) == 3


def test_nobody_gets_a_user_that_somebody_has() -> None:
    first = take_slot()
    code = "import os, sys; from helpers.grade.sandbox import take_slot; os.getpid = lambda: int(sys.argv[1]); "
    code += "print(take_slot())"
    done = subprocess.run(
        [sys.executable, "-c", code, str(first)], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert int(done.stdout) == (first + 1) % UIDS
