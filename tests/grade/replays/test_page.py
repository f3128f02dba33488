"""The grader's own browser on the learner's extension."""

from pathlib import Path
from typing import Any

import pytest

from helpers.grade.replays import page
from helpers.grade.replays.page import play_again
from tests.grade.replays.left import UI, forge_page, unit_of, write_extension

pytestmark = pytest.mark.timeout(600)

LIES = """
def register(ui):
    @ui.message_action("Speed")
    def speed(message):
        return "0.1 ms per token"
"""


@pytest.mark.browser
def test_an_extension_that_works_gets_the_milestone(left: Path, tmp_path: Path) -> None:
    write_extension(left)
    verdict = play_again(UI, unit_of(UI, tmp_path), left)
    assert (verdict.state, verdict.reason) == ("reached", "")


@pytest.mark.browser
@pytest.mark.parametrize(
    ("source", "reason"),
    [(LIES, "0.1"), ("raise SystemExit", "did not start with the extension")],
    ids=["lies", "exits"],
)
def test_forged_evidence_gets_nothing_for_an_extension_that_does_not_work(
    left: Path, tmp_path: Path, source: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "ATTEMPTS", 1)
    forge_page(left)
    write_extension(left, source)
    verdict = play_again(UI, unit_of(UI, tmp_path), left)
    assert verdict.state == "not-reached"
    assert reason in verdict.reason


def test_forged_evidence_gets_nothing_without_an_extension(left: Path, tmp_path: Path) -> None:
    forge_page(left)
    verdict = play_again(UI, unit_of(UI, tmp_path), left)
    assert (verdict.state, verdict.reason) == ("not-reached", "the run left no speed.py to give to the page")


@pytest.mark.parametrize(
    ("seen", "state", "reason"),
    [
        ({"missing": "there is no Chromium"}, "not-run", "needs Chromium"),
        ({"problem": "it did not start"}, "not-reached", "in the grader's own browser: it did not start"),
        ({"tour": {}, "truth": [], "secured": {}}, "not-reached", "cannot be judged: KeyError"),
    ],
)
def test_what_cannot_be_seen_is_said(
    left: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seen: dict[str, Any], state: str, reason: str
) -> None:
    write_extension(left)
    monkeypatch.setattr(page, "_play", lambda request, extension: seen)
    verdict = play_again(UI, unit_of(UI, tmp_path), left)
    assert verdict.state == state
    assert reason in verdict.reason


def test_without_a_browser_it_could_not_be_run_here(
    left: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("COURSE_BROWSER", raising=False)
    write_extension(left)
    assert play_again(UI, unit_of(UI, tmp_path), left).state == "not-run"
