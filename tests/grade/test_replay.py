"""The grader's own drill: what the notebook saw of its server plays no part."""

import ast
from pathlib import Path

import pytest

from helpers.course.catalogue import find_task
from helpers.course.definitions import read_definitions
from helpers.grade.limits import UnitLimits
from helpers.grade.replay import SERVER, play_again
from helpers.grade.request import UnitRequest
from helpers.grade.sandbox import probe

ENTRY = find_task("5")


@pytest.fixture
def request_of_a_unit(tmp_path: Path) -> UnitRequest:
    return UnitRequest(
        learner="alice",
        task=ENTRY.stem,
        kind="notebook",
        source="",
        notebook="",
        bundle="",
        problem=None,
        digest="",
        seed=0,
        out=str(tmp_path / "out"),
        private={},
        hide=(),
        limits=UnitLimits(),
        sandbox=probe(),
        rerun=False,
        slot=9,
        scratch=str(tmp_path / "scratch"),
    )


def written_down() -> str:
    """The solution's server as a file: imports, functions and classes of its cells."""
    kept = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    parts = [ast.parse(source.code).body for source in read_definitions(ENTRY.notebook("solutions"))]
    lines = [ast.unparse(node) for part in parts for node in part if isinstance(node, kept)]
    return "\n\n\n".join(["from __future__ import annotations", *lines])


@pytest.mark.timeout(240)
def test_a_server_that_works_gets_the_milestone(request_of_a_unit: UnitRequest, tmp_path: Path) -> None:
    (tmp_path / SERVER).write_text(written_down())
    verdict = play_again(ENTRY, request_of_a_unit, tmp_path)
    assert (verdict.state, verdict.reason) == ("reached", "")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (None, "the run left no server.py"),
        ("def create_app(**more):\n    raise SystemExit", "did not start"),
        ("import os\nos.write(1, b'{}\\n')\nos._exit(0)\ndef create_app(**more): ...", "in the grader's own drill"),
    ],
)
@pytest.mark.timeout(240)
def test_a_server_that_does_not_work_gets_none(
    request_of_a_unit: UnitRequest, tmp_path: Path, source: str | None, reason: str
) -> None:
    if source is not None:
        (tmp_path / SERVER).write_text(source)
    verdict = play_again(ENTRY, request_of_a_unit, tmp_path)
    assert verdict.state == "not-reached"
    assert reason in verdict.reason
