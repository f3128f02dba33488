"""Two machines are asked over ssh; here ssh is a script that runs the questions on this machine, or fails."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from helpers import cli
from helpers.engines import node_check
from helpers.engines.node_check import Node, ask_nodes, problems

SPARK = Node(
    "a",
    True,
    facts={"machine": "aarch64", "driver": "580.95.05", "gpu": "NVIDIA GB10", "docker": "28.2.2"},
    interfaces={"enp1s0f0np0": ("up", 200_000, "192.168.1.1/24"), "eth0": ("up", 10_000, "10.0.0.1/8")},
)
FAKE_SSH = """#!/bin/sh
for last; do :; done
case "$*" in *" b "*) echo "ssh: connect to host b port 22: Connection refused" >&2; exit 255;; esac
exec sh -s
"""


@pytest.fixture
def ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "ssh"
    program.write_text(FAKE_SSH)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")


def test_two_equal_sparks_have_no_problem() -> None:
    assert problems([SPARK, replace(SPARK, name="b")]) == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"clock_offset_s": 3.0, "clock_error_s": 0.2}, "b: its clock is +3.0 s off"),
        ({"facts": {**SPARK.facts, "gpu": ""}}, "b: no NVIDIA GPU"),
        ({"facts": {**SPARK.facts, "docker": ""}}, "b: no Docker daemon"),
        ({"facts": {**SPARK.facts, "driver": "595.84"}}, "driver differs: a 580.95.05, b 595.84"),
        ({"interfaces": {"enp1s0f0np0": ("down", 0, "")}}, "is down, 0 Mbit/s, no IPv4 address (is the QSFP cable in?"),
        ({"interfaces": {"enp1s0f1np1": ("up", 200_000, "1.2.3.4/24")}}, "up are enp1s0f1np1: plan with that one"),
    ],
)
def test_each_difference_is_named_with_what_to_do(change: dict[str, object], expected: str) -> None:
    found = problems([SPARK, replace(SPARK, name="b", **change)])
    assert len(found) == 1
    assert expected in found[0]


def test_a_clock_that_may_be_right_is_no_problem() -> None:
    assert problems([replace(SPARK, clock_offset_s=0.9, clock_error_s=0.6)]) == []


def test_machines_are_asked_over_ssh(ssh: None) -> None:
    a, b = ask_nodes(["a", "b"])
    assert a.reached
    assert a.facts["machine"]
    assert abs(a.clock_offset_s) <= a.clock_error_s + 0.1
    assert "lo" in a.interfaces
    assert not b.reached
    assert "Connection refused" in b.failure
    assert problems([b])[0].startswith("b cannot be reached: ssh: connect")


def test_without_ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert ask_nodes(["a"])[0].failure == "there is no ssh here"


def test_one_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ssh: None) -> None:
    (tmp_path / "ssh").write_text("#!/bin/sh\nexec sleep 20\n")
    monkeypatch.setattr(node_check, "ASK_LIMIT_S", 0.3)
    assert "no answer within 0.3 s" in ask_nodes(["a"])[0].failure


def test_the_doctor_tells_it(ssh: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["doctor", "--nodes", "a,b", "--json"]) == 3
    found = json.loads(capsys.readouterr().out)
    assert [node["reached"] for node in found["nodes"]] == [True, False]
    assert any(problem.startswith("b cannot be reached") for problem in found["problems"])
