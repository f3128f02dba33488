"""The drill and the judge of its record: the course's gateway passes, and every defect is named."""

import contextlib
import copy
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse

from helpers.api.database import Database
from helpers.api.process import GatewayProcess
from helpers.config import ROOT
from helpers.course.app_process import AppProcess
from helpers.course.catalogue import load_task
from helpers.course.drill import Drill, read_samples
from helpers.course.drill_upstreams import DrillUpstreams
from helpers.course.task import Evidence, Verdict

Json = dict[str, Any]
PLACES = 2


def judge(situations: list[Json]) -> Verdict:
    (milestone,) = (m for m in load_task(ROOT / "content/05_production_api").milestones if m.id == "12.5.server")
    return milestone.judge(Evidence({"places": PLACES, "situations": situations}, Path()))


def play(drill: Drill, other_key: str) -> list[Json]:
    played = [drill.whole(), drill.strangers(), drill.burst(12), drill.hasty(48, other_key)]
    return [*played, drill.client_leaves(), drill.upstream_dies(), drill.failover()]


@pytest.fixture(scope="module")
def upstreams() -> Iterator[DrillUpstreams]:
    with DrillUpstreams() as running:
        yield running


@pytest.fixture(scope="module")
def played(upstreams: DrillUpstreams, tmp_path_factory: pytest.TempPathFactory) -> list[Json]:
    """What the course's gateway does."""
    folder = tmp_path_factory.mktemp("gateway")
    url = f"sqlite:///{folder / 'gateway.sqlite'}"
    database = Database(url)
    keys = [database.add_key(name) for name in ("one", "other")]
    database.close()
    lines = ["[limits]", f"max_in_flight = {PLACES}", "max_waiting = 4", "requests_per_minute = 30"]
    lines += [line for name, urls in upstreams.routes.items() for line in (f"[upstreams.{name}]", f"urls = {urls!r}")]
    config = folder / "gateway.toml"
    config.write_text("\n".join(lines))
    with GatewayProcess("--config", str(config), "--no-ui", "--database", url) as gateway:
        return play(Drill(gateway.url, upstreams, api_key=keys[0]), keys[1])


async def relay(url: str, body: bytes) -> AsyncIterator[bytes]:
    async with aiohttp.ClientSession() as session, session.post(url, data=body) as answer:
        with contextlib.suppress(aiohttp.ClientError):
            async for piece in answer.content.iter_any():
                yield piece


def create_relay(upstream: str) -> FastAPI:
    app = FastAPI()

    @app.post("/v1/chat/completions")
    async def chat(request: Request) -> StreamingResponse:
        pieces = relay(f"{upstream}/chat/completions", await request.body())
        return StreamingResponse(pieces, media_type="text/event-stream")

    return app


def test_the_gateway_passes_its_own_drill(played: list[Json]) -> None:
    verdict = judge(played)
    assert (verdict.state, verdict.reason) == ("reached", "")


def test_a_plain_relay_lets_strangers_in(upstreams: DrillUpstreams, tmp_path: Path) -> None:
    with AppProcess(create_relay, tmp_path / "relay.py", upstream=upstreams.mocks["steady"].url) as server:
        strangers = Drill(server.url, upstreams, api_key="k").strangers()
    assert [answer["status"] for answer in strangers["answers"]] == [200, 200]
    assert [entry["outcome"] for entry in strangers["truth"]["steady"]] == ["ok", "ok"]


def test_a_client_that_does_not_read_is_seen_to_the_end(upstreams: DrillUpstreams, tmp_path: Path) -> None:
    with AppProcess(create_relay, tmp_path / "relay.py", upstream=upstreams.mocks["fast"].url) as server:
        slow = Drill(server.url, upstreams, api_key="k").slow_client()
    (entry,) = slow["truth"]["fast"]
    assert (entry["outcome"], entry["tokens"]) == ("ok", 12_000)


def strangers_served(record: Json) -> None:
    record["answers"][0]["status"] = 200


def stranger_reaches_the_engine(record: Json) -> None:
    record["truth"]["steady"].append({"outcome": "ok"})


def nobody_refused(record: Json) -> None:
    for answer in record["answers"]:
        answer["status"] = 200


def refused_without_a_time(record: Json) -> None:
    for answer in record["answers"]:
        answer["retry_after"] = ""


def too_many_at_the_engine(record: Json) -> None:
    record["peaks"]["steady"] = PLACES + 1


def works_on_for_nobody(record: Json) -> None:
    record["truth"]["steady"][1]["outcome"] = "ok"


def just_ends(record: Json) -> None:
    pieces = record["answers"][0]["pieces"]
    pieces[:] = [[at_s, text] for at_s, text in pieces if "error" not in text]


def collected_before_sent(record: Json) -> None:
    late_s = record["truth"]["steady"][0]["writes_s"][-1] + 0.001
    record["answers"][0]["pieces"] = [[late_s, text] for _, text in record["answers"][0]["pieces"]]


def other_words(record: Json) -> None:
    for piece in record["answers"][0]["pieces"]:
        piece[1] = piece[1].replace("tokens", "spoken")


def never_failed_over(record: Json) -> None:
    record["truth"]["failing"].clear()


def uncounted(record: Json) -> None:
    record["after"] = dict(record["before"])


@pytest.mark.parametrize(
    ("situation", "spoil", "reason"),
    [
        ("whole", collected_before_sent, "does not flow"),
        ("whole", other_words, "not what the engine wrote"),
        ("strangers", strangers_served, "401 was asked"),
        ("strangers", stranger_reaches_the_engine, "worked for a stranger"),
        ("burst", nobody_refused, "0 got 429"),
        ("burst", refused_without_a_time, "Retry-After"),
        ("burst", too_many_at_the_engine, "of 2 places"),
        ("hasty", nobody_refused, "0 got 429"),
        ("client leaves", works_on_for_nobody, "cancelled and ok"),
        ("upstream dies", just_ends, "just ended"),
        ("failover", never_failed_over, "never asked"),
        ("failover", uncounted, "counted 0"),
    ],
)
def test_the_judge_names_what_was_wrong(
    played: list[Json], situation: str, spoil: Callable[[Json], None], reason: str
) -> None:
    situations = copy.deepcopy(played)
    spoil(next(record for record in situations if record["situation"] == situation))
    verdict = judge(situations)
    assert verdict.state == "not-reached"
    assert verdict.reason.startswith(f"{situation}: ")
    assert reason in verdict.reason


def test_a_situation_left_out_is_missed(played: list[Json]) -> None:
    assert "was not played" in judge(played[:-1]).reason


def test_samples_of_a_metrics_page() -> None:
    page = """# TYPE a_total counter
a_total{y="2",x="1"} 3
# TYPE b histogram
b_bucket{le="+Inf"} 1
b_sum 2
b_count 1
"""
    assert read_samples(page) == {'a_total{x="1",y="2"}': 3.0, "b_sum": 2.0, "b_count": 1.0}
