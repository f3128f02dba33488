"""The grader's own load: a server carries it, or there is no milestone."""

from pathlib import Path

import pytest

from helpers.bench.run import Run
from helpers.client.mock import TrueRequest
from helpers.client.mock_words import answer_text
from helpers.grade.replays.load import load_problem, play_again
from helpers.grade.replays.own_server import SERVER
from tests.bench.samples import make_run
from tests.grade.replays.left import API, forge_load, own_server_source, unit_of

pytestmark = pytest.mark.timeout(240)
TOKENS = 16

CANNED = """
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse
import json
from helpers.client.mock_words import answer_text

def create_app(**more):
    app = FastAPI()

    @app.get("/v1/models")
    async def models():
        return {"data": [{"id": "mock"}]}

    @app.post("/v1/chat/completions")
    async def chat(request: Request):
        asked = await request.json()
        tokens = asked["max_tokens"]
        usage = {"prompt_tokens": 9, "completion_tokens": tokens, "total_tokens": tokens + 9}
        def write():
            words = {"choices": [{"index": 0, "delta": {"content": answer_text(tokens)}, "finish_reason": None}]}
            for event in (words, {"choices": [], "usage": usage}):
                yield f"data: {json.dumps(event)}\\n\\n"
            yield "data: [DONE]\\n\\n"
        return StreamingResponse(write(), media_type="text/event-stream")
    return app
"""
"""A server that needs no engine: it knows the answer."""

POINTS_ELSEWHERE = """
import json, sys
def create_app(routes, **more):
    print(json.dumps({"url": routes["mock"][0]}), flush=True)
    sys.stdin.read()
"""
"""No server at all: it says that it listens where the grader's engine does."""


def test_a_server_that_carries_the_load_gets_the_milestone(left: Path, tmp_path: Path) -> None:
    (left / SERVER).write_text(own_server_source())
    verdict = play_again(API, unit_of(API, tmp_path), left)
    assert (verdict.state, verdict.reason) == ("reached", "")
    assert verdict.numbers["output_tokens"] == 32 * verdict.numbers["requests"] > 0
    assert len(verdict.numbers["added_ttft_s"]["own"]) == 3


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (None, "the run left no server.py"),
        ("def create_app(**more):\n    raise SystemExit", "the server did not start"),
        (CANNED, "the engine behind it 0"),
        (POINTS_ELSEWHERE, "it listens where the engine does"),
    ],
    ids=["none", "exits", "canned", "points-elsewhere"],
)
def test_forged_evidence_gets_nothing_without_a_server(
    left: Path, tmp_path: Path, source: str | None, reason: str
) -> None:
    forge_load(left)
    if source is not None:
        (left / SERVER).write_text(source)
    verdict = play_again(API, unit_of(API, tmp_path), left)
    assert verdict.state == "not-reached"
    assert reason in verdict.reason


def written(run: Run, **changed: object) -> list[TrueRequest]:
    """What an engine recorded that wrote every answer of a run a little before the client read it."""
    values = {"request_id": "", "received_s": 0.0, "writes_s": [0.05], "tokens": TOKENS, "outcome": "ok", **changed}
    return [TrueRequest(**values) for _ in run.records]  # type: ignore[arg-type]


def loaded() -> tuple[Run, Run]:
    direct, own = make_run("mock", concurrency=8, repeats=3), make_run("own server", concurrency=8, repeats=3)
    for repeat in own.repeats:
        for record in repeat:
            record.text = answer_text(TOKENS)
    return direct, own


def test_a_load_that_went_through_has_no_problem() -> None:
    direct, own = loaded()
    assert load_problem(direct, own, written(own)) == ""


def test_what_the_engine_did_not_write_is_found() -> None:
    direct, own = loaded()
    behind = written(own)
    assert "the engine behind it 47" in load_problem(direct, own, behind[1:])
    assert "the engine behind it 0" in load_problem(direct, own, written(own, outcome="cancelled"))
    assert "is not what the engine" in load_problem(direct, own, written(own, tokens=9))
    assert "sooner than the engine" in load_problem(direct, own, written(own, writes_s=[0.5]))
    own.records[0].usage.output_tokens = 1000
    assert "the engine behind it counted 768" in load_problem(direct, own, behind)


def test_a_run_that_is_not_valid_proves_nothing() -> None:
    direct, own = loaded()
    broken = make_run("own server", concurrency=8, error="gone")
    assert "requests failed" in load_problem(direct, broken, written(own))
