"""The tour of a chat page and the judge of its record: the course's page passes, and every defect is named."""

import copy
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from helpers.api.process import GatewayProcess
from helpers.client.mock import MockServer
from helpers.client.mock_words import answer_text
from helpers.config import ROOT
from helpers.course import browser
from helpers.course.catalogue import load_task
from helpers.course.task import Evidence, Verdict
from helpers.course.tour import tour
from helpers.errors import MissingError

Json = dict[str, Any]
TOKENS = 40
SECURED = {"no key": 401, "wrong key": 401, "key": 200, "key, page of another site": 403}
FEATURE = """
def register(ui):
    @ui.message_action("Speed")
    def speed(message):
        return f"{1000 / message.figures['output_tokens_per_s']:.1f} ms per token"
"""


def judge(milestone_id: str, data: Json) -> Verdict:
    (milestone,) = (m for m in load_task(ROOT / "content/06_ollama_web_ui").milestones if m.id == milestone_id)
    return milestone.judge(Evidence(data, Path()))


def request(outcome: str, tokens: int) -> Json:
    return {"outcome": outcome, "writes_s": [number * 0.02 for number in range(tokens)], "tokens": tokens}


def good() -> Json:
    words = answer_text(TOKENS)
    return {
        "tokens": TOKENS,
        "truth": [request("ok", TOKENS), request("ok", TOKENS), request("cancelled", 9)],
        "secured": dict(SECURED),
        "tour": {
            "asked": {"answer": words, "samples": [[n / 10, n * 10] for n in range(1, 12)], "question": "?"},
            "reloaded": words,
            "stopped": {"at_stop": 30, "later": 30},
            "trapped": [],
            "hosts": [],
            "phone_width": 375,
            "feature": {"name": "Speed", "before": "words", "after": "words 20.3 ms per token"},
            "paint_s": 0.4,
            "bytes": 900_000,
        },
    }


def test_a_good_page_is_reached() -> None:
    verdict = judge("12.6.ui", good())
    assert (verdict.state, verdict.reason) == ("reached", "")


def change(path: str, value: Any) -> Callable[[Json], None]:
    def apply(data: Json) -> None:
        *folders, last = path.split(".")
        for folder in folders:
            data = data[folder]
        data[last] = value

    return apply


@pytest.mark.parametrize(
    ("defect", "reason"),
    [
        (change("tour.asked.answer", "Something else"), "the engine wrote"),
        (change("tour.asked.samples", [[4.0, len(answer_text(TOKENS))]]), "does not stream"),
        (change("tour.reloaded", ""), "after a reload"),
        (change("tour.stopped", {"at_stop": 30, "later": 60}), "stop did not end"),
        (change("truth", [request("ok", TOKENS)]), "stop did not end"),
        (change("tour.trapped", ["trap"]), "a script ran"),
        (change("tour.hosts", ["cdn.example"]), "cdn.example"),
        (change("tour.phone_width", 900), "900 wide"),
        (change("tour.feature", None), "no feature"),
        (change("tour.feature.after", "words"), "nothing on the page says"),
        (change("tour.feature.after", "50.0 ms per token"), "the engine took 20.0 ms"),
        (change("secured.no key", 200), "no key: status 200"),
        (change("secured", {}), "no key: status None"),
    ],
)
def test_every_defect_is_named(defect: Callable[[Json], None], reason: str) -> None:
    data = copy.deepcopy(good())
    defect(data)
    verdict = judge("12.6.ui", data)
    assert verdict.state == "not-reached"
    assert reason in verdict.reason


def ollama() -> Json:
    final = {"done": True, "total_duration": 10**9, "eval_count": 50, "eval_duration": 5 * 10**8}
    answers = [{"prompt": "p", "lines": [{"done": False}, final], "wall_s": 1.1} for _ in range(2)]
    return {"version": "0.33.0", "show": {"system": "Be short."}, "system": "Be short.", "answers": answers}


def test_ollama_s_answers_are_recomputed() -> None:
    verdict = judge("12.6.ollama", ollama())
    assert verdict.state == "reached"
    assert verdict.numbers["decode_tokens_per_s"] == [100.0, 100.0]


@pytest.mark.parametrize(
    ("defect", "reason"),
    [
        (change("show", {}), "system prompt"),
        (change("answers", []), "0 answers"),
        (lambda data: data["answers"][0].update(wall_s=0.5), "longer than the client"),
        (lambda data: data["answers"][1].update(lines=[{"done": False}]), "no last line"),
    ],
)
def test_ollama_s_defects_are_named(defect: Callable[[Json], None], reason: str) -> None:
    data = ollama()
    defect(data)
    verdict = judge("12.6.ollama", data)
    assert verdict.state == "not-reached"
    assert reason in verdict.reason


def test_without_a_browser_it_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browser.shutil, "which", lambda name: None)
    monkeypatch.setattr(browser, "MAC_CHROME", Path("/nowhere"))
    with pytest.raises(MissingError, match="COURSE_BROWSER"):
        browser.find_browser()


@pytest.mark.browser
def test_the_course_s_page_passes(tmp_path: Path) -> None:
    feature = tmp_path / "feature.py"
    feature.write_text(FEATURE)
    arguments = ("--no-keys", "--database", f"sqlite:///{tmp_path / 'tour.sqlite'}", "--extension", str(feature))
    with (
        MockServer(ttft_s=0.1, gap_s=0.05, output_tokens=TOKENS) as mock,
        GatewayProcess("--upstream", f"mock={mock.url}", *arguments, ui=True) as gateway,
    ):
        seen = tour(gateway.root, "Speed")
        truth = [asdict(request) for request in mock.truth().requests]
    data = {"tour": seen, "truth": truth, "tokens": TOKENS, "secured": SECURED}
    verdict = judge("12.6.ui", data)
    assert (verdict.state, verdict.reason) == ("reached", "")
