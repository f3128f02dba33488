"""The grader's own drill: what the notebook saw of its server plays no part."""

from pathlib import Path

import pytest

from helpers.grade.replays.drill import play_again
from helpers.grade.replays.own_server import SERVER
from tests.grade.replays.left import API, own_server_source, unit_of

pytestmark = pytest.mark.timeout(240)


def test_a_server_that_works_gets_the_milestone(left: Path, tmp_path: Path) -> None:
    (left / SERVER).write_text(own_server_source())
    verdict = play_again(API, unit_of(API, tmp_path), left)
    assert (verdict.state, verdict.reason) == ("reached", "")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (None, "the run left no server.py"),
        ("def create_app(**more):\n    raise SystemExit", "did not start"),
        ("import os\nos.write(1, b'{}\\n')\nos._exit(0)\ndef create_app(**more): ...", "in the grader's own drill"),
    ],
)
def test_a_server_that_does_not_work_gets_none(left: Path, tmp_path: Path, source: str | None, reason: str) -> None:
    if source is not None:
        (left / SERVER).write_text(source)
    verdict = play_again(API, unit_of(API, tmp_path), left)
    assert verdict.state == "not-reached"
    assert reason in verdict.reason
