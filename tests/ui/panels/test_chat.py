"""Side by side: every engine gets the question, failures stay in their place, and stop reaches the engines."""

import time
from collections.abc import Callable, Iterator

import pytest

from helpers.client.mock import Faults, MockServer
from helpers.engines.attach import attach
from helpers.errors import UsageError
from helpers.ui.panels.chat import SideBySide

WAIT_S = 20.0


@pytest.fixture(scope="module")
def quick() -> Iterator[MockServer]:
    with MockServer(ttft_s=0.01, gap_s=0.001, output_tokens=6) as server:
        yield server


@pytest.fixture(scope="module")
def endless() -> Iterator[MockServer]:
    with MockServer(ttft_s=0.01, gap_s=0.05, output_tokens=2000) as server:
        yield server


def wait_until(holds: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)


def test_a_prompt_is_answered_before_anything_is_shown(quick: MockServer) -> None:
    chat = SideBySide({"one": attach(quick.url), "two": attach(quick.url)}, "Anything?")
    assert all(side.words for side in chat.sides)
    assert "The same words from all of them." in chat.text()
    for side in chat.sides:
        assert side.words in chat.html()
        assert set(side.figures) == {"TTFT", "tokens", "rate"}


def test_one_that_fails_says_so_and_the_other_answers(quick: MockServer) -> None:
    with MockServer(faults=Faults(error_rate=1.0)) as broken:
        chat = SideBySide({"good": attach(quick.url), "broken": attach(broken.url)}, "Anything?")
    good, bad = chat.sides
    assert good.words
    assert not bad.words
    assert 'role="alert"' in chat.html()
    assert "HTTP 500" in chat.text()


def test_buttons_ask_and_stop(quick: MockServer, endless: MockServer) -> None:
    chat = SideBySide({"quick": attach(quick.url), "endless": attach(endless.url)})
    prompt, ask, stop = chat.widget.children[1].children
    panes = chat.widget.children[2].children
    ask.click()
    assert not ask.disabled, "there is nothing to ask"
    prompt.value = "Go on."
    ask.click()
    assert ask.disabled
    wait_until(lambda: len(chat.sides[1].words) > 0 and "tokens" in chat.sides[0].figures)
    stop.click()
    wait_until(lambda: not ask.disabled)
    assert "stopped" in panes[1].value
    assert "stopped" not in panes[0].value
    wait_until(lambda: endless.truth().requests[-1].outcome == "cancelled")


def test_what_a_model_writes_is_no_markup(quick: MockServer) -> None:
    chat = SideBySide({"<i>": attach(quick.url), "two": attach(quick.url)}, "<b>bold</b>")
    chat.sides[0].words = "<script>alert(1)</script>"
    assert "<script>" not in chat.html()
    assert "<i>" not in chat.html()
    assert "<b>" not in chat.html()


def test_one_server_is_not_side_by_side(quick: MockServer) -> None:
    with pytest.raises(UsageError, match="at least two"):
        SideBySide({"one": attach(quick.url)})
