"""First come, first served: never two at once who exclude each other, and nobody waits for the dead."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.config import ROOT
from helpers.engines import lease
from helpers.engines.lease import Ticket, in_the_way
from helpers.errors import MissingError
from tests.engines.conftest import until

USER = """
import sys, time
from pathlib import Path
from helpers.engines import lease
kind, journal, hold_s = sys.argv[1], Path(sys.argv[2]), float(sys.argv[3])
with lease.take(kind, what="a test", waiting=lambda others: None):
    with journal.open("a") as lines:
        lines.write(f"in {kind}\\n")
    time.sleep(hold_s)
    with journal.open("a") as lines:
        lines.write(f"out {kind}\\n")
"""


@pytest.fixture(autouse=True)
def own_board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COURSE_LEASES", str(tmp_path / "leases"))


def another_user(kind: str, journal: Path, hold_s: float) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-c", USER, kind, str(journal), str(hold_s)], cwd=ROOT)


def ticket(number: int, kind: str, pid: int) -> Ticket:
    return Ticket(number, kind, "user", pid, 0.0, {})


def test_ten_users_never_have_two_exclusive_engines(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    users = [another_user("engine", journal, 0.05) for _ in range(10)]
    assert [user.wait(60) for user in users] == [0] * 10
    assert journal.read_text().split("\n")[:-1] == ["in engine", "out engine"] * 10
    assert lease.tickets() == []


def test_attached_users_share_and_a_measurement_has_the_machine_alone(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    kinds = ["attach"] * 3 + ["measure"] * 2
    users = [another_user(kind, journal, 0.1) for kind in kinds]
    assert [user.wait(60) for user in users] == [0] * 5
    inside: list[str] = []
    for line in journal.read_text().splitlines():
        step, kind = line.split()
        if step == "out":
            inside.remove(kind)
        else:
            assert kind != "measure" or not inside
            assert "measure" not in inside
            inside.append(kind)


def test_a_killed_holder_frees_the_machine_within_two_seconds(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    holder = another_user("measure", journal, 600)
    assert until(journal.exists)
    waited: list[int] = []

    def waiting(others: object) -> None:
        if not waited:
            os.kill(holder.pid, signal.SIGKILL)
        waited.append(holder.wait(10))

    with lease.take("measure", wait_s=2.0, waiting=waiting):
        assert waited


def test_who_does_not_get_a_turn_is_told_whose_it_is_and_leaves_the_queue(tmp_path: Path) -> None:
    holder = another_user("engine", tmp_path / "journal", 600)
    try:
        assert until((tmp_path / "journal").exists)
        with pytest.raises(MissingError, match=rf"in use(?s:.)*engine \(a test\) since .*{holder.pid}"):
            lease.take("engine", wait_s=0)
        assert [one.pid for one in lease.tickets()] == [holder.pid]
    finally:
        holder.kill()
        holder.wait(10)


def test_the_order_is_that_of_coming() -> None:
    board = [ticket(1, "attach", 10), ticket(2, "measure", 20), ticket(3, "attach", 30)]
    assert in_the_way(board, board[0]) == []
    assert in_the_way(board, board[1]) == [board[0]]
    assert in_the_way(board, board[2]) == [board[1]]


def test_ones_own_requests_do_not_keep_one_from_measuring() -> None:
    board = [ticket(1, "attach", 10), ticket(2, "attach", 20), ticket(3, "measure", 10)]
    assert in_the_way(board, board[2]) == [board[1]]


def test_giving_back_twice_takes_nothing_from_the_next_of_the_same_number() -> None:
    first = lease.take("embedded")
    first.release()
    second = lease.take("embedded")
    assert second.ticket.number == first.ticket.number
    first.release()
    assert len(lease.tickets()) == 1
    second.release()


def test_a_second_engine_of_the_same_process_waits_too() -> None:
    board = [ticket(1, "engine", 10), ticket(2, "engine", 10), ticket(3, "embedded", 10)]
    assert in_the_way(board, board[1]) == [board[0]]
    assert in_the_way(board, board[2]) == []


def test_facts_are_seen_by_others_and_a_ticket_goes_with_its_object() -> None:
    hold = lease.take("embedded", engine="fake")
    hold.tell(url="http://127.0.0.1:1/v1")
    (seen,) = lease.tickets()
    assert seen.facts == {"engine": "fake", "url": "http://127.0.0.1:1/v1"}
    assert seen.pid == os.getpid()
    del hold
    assert lease.tickets() == []


def test_a_child_that_inherits_the_ticket_holds_it() -> None:
    hold = lease.take("engine")
    assert hold.descriptor is not None
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=(hold.descriptor,))
    hold.hand_over()
    assert len(lease.tickets()) == 1
    child.communicate(b"\n", timeout=20)
    assert until(lambda: not lease.tickets(), 2.0)


def test_a_laptop_takes_no_lease_and_a_spark_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("helpers.hardware.find_gpus", list)
    with lease.measuring("a run"):
        assert lease.tickets() == []
    monkeypatch.setenv("COURSE_PROFILE", "spark")
    with lease.measuring("a run"):
        assert [one.facts["what"] for one in lease.tickets()] == ["a run"]


def test_engines_beside_the_measured_one_are_foreign(monkeypatch: pytest.MonkeyPatch) -> None:
    measured, other = lease.take("embedded", engine="a"), lease.take("embedded", engine="b", model="m")
    measured.tell(state="running", url="http://127.0.0.1:1/v1")
    other.tell(state="running", url="http://127.0.0.1:2/v1")
    monkeypatch.setenv("COURSE_PROFILE", "laptop")
    monkeypatch.setattr("helpers.hardware.find_gpus", list)
    assert lease.foreign(["http://127.0.0.1:1/v1"]) == []
    monkeypatch.setenv("COURSE_PROFILE", "spark")
    (remark,) = lease.foreign(["http://127.0.0.1:1/v1"])
    assert "another engine was on the machine" in remark
    assert "(b m)" in remark


def test_waiting_is_said_once_where_nobody_listens(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    holder = another_user("engine", tmp_path / "journal", 0.7)
    assert until((tmp_path / "journal").exists)
    lease.take("engine").release()
    assert caplog.text.count("Waiting for the machine") == 1
    assert holder.wait(10) == 0
