"""The adapters and the client against fakes that speak each engine's own protocol."""

import json
import urllib.request

import pytest

import helpers
from helpers.engines import metrics, registry, tensorrt_llm
from helpers.engines.ollama import read_timings
from helpers.errors import UsageError
from tests.engines.contract_servers import serving
from tests.engines.contract_servers.servers import METRICS, OWNERS, WORDS
from tests.engines.planning import plan

COMMON = {"prompt_tokens_total": 4096.0, "output_tokens_total": 600.0, "acceptance_length": 3.0}


@pytest.mark.parametrize("engine", OWNERS)
def test_attach_knows_the_engine_and_reads_its_stream(engine: str) -> None:
    with serving(engine) as fake, helpers.attach(fake.url) as server:
        assert (server.engine, server.model) == (engine, "qwen3-8b")
        assert "".join(server.stream("Hi")) == "".join(WORDS)


@pytest.mark.parametrize("engine", [name for name in OWNERS if name != "ollama"])
def test_metrics_have_the_common_names(engine: str) -> None:
    with serving(engine) as fake, helpers.attach(fake.url) as server:
        found = server.metrics()
    assert COMMON.items() <= found.items()
    assert found["requests_running"] >= 1


def test_ollama_has_no_metrics() -> None:
    with serving("ollama") as fake, helpers.attach(fake.url) as server:
        assert server.metrics() == {}


def test_series_are_summed_and_gauges_of_creation_left_out() -> None:
    values = metrics.parse((METRICS / "sglang.txt").read_text())
    assert values["sglang:cached_tokens_total"] == 1024.0
    found = metrics.translate(metrics.parse((METRICS / "vllm.txt").read_text()), registry.choose("vllm").metric_names)
    assert found["prefill_seconds_total"] == 0.5
    assert found["decode_steps_total"] == 210.0
    assert found["cached_tokens_total"] == 1024.0


@pytest.mark.parametrize("spelling", ["trtllm_prompt_tokens", "trtllm_prompt_tokens_total"])
def test_counters_are_found_in_both_spellings(spelling: str) -> None:
    names = registry.choose("tensorrt-llm").metric_names
    assert metrics.translate({spelling: 7.0}, names) == {"prompt_tokens_total": 7.0}


@pytest.mark.parametrize(
    ("values", "length"),
    [
        ({"vllm:spec_decode_num_drafts_total": 10.0, "vllm:spec_decode_num_accepted_tokens_total": 0.0}, 1.0),
        ({"vllm:spec_decode_num_drafts_total": 10.0, "vllm:spec_decode_num_accepted_tokens_total": 40.0}, 5.0),
        ({"vllm:spec_decode_num_drafts_total": 0.0, "vllm:spec_decode_num_accepted_tokens_total": 0.0}, None),
        ({"sglang:spec_accept_length": 0.0}, None),
        ({"sglang:spec_accept_length": 2.5, "sglang:spec_verify_calls_total": 9.0}, 2.5),
    ],
)
def test_acceptance_length_counts_the_bonus_token(values: dict[str, float], length: float | None) -> None:
    assert metrics.translate(values, registry.metric_names()).get("acceptance_length") == length


def test_tensorrt_llm_leaves_the_queue_alone_when_it_has_a_prometheus_page() -> None:
    with serving("tensorrt-llm") as fake:
        urls = plan("tensorrt-llm", port=fake.server_address[1]).urls
        assert registry.choose("tensorrt-llm").read_metrics(urls)["kv_cache_usage"] == 0.125
        assert len(fake.iterations) == 2


def test_tensorrt_llm_without_that_page_gives_the_newest_iteration_once() -> None:
    with serving("tensorrt-llm", prometheus=False) as fake:
        urls = plan("tensorrt-llm", port=fake.server_address[1]).urls
        adapter = registry.choose("tensorrt-llm")
        assert adapter.read_metrics(urls) == {
            "requests_running": 2.0,
            "requests_waiting": 1.0,
            "kv_cache_usage": 0.25,
            "acceptance_length": 3.0,
        }
        assert adapter.read_metrics(urls) == {}


def test_an_iteration_without_optional_parts_is_read() -> None:
    assert tensorrt_llm.newest_iteration([{"iter": 1, "numActiveRequests": 0}]) == {"requests_running": 0.0}
    assert tensorrt_llm.newest_iteration(None) == {}


def test_ollamas_own_stream_ends_with_timings_in_nanoseconds() -> None:
    with serving("ollama") as fake:
        body = json.dumps({"model": "qwen3-8b", "messages": []}).encode()
        with urllib.request.urlopen(urllib.request.Request(f"{fake.url}/api/chat", data=body)) as answer:
            lines = [json.loads(line) for line in answer]
    timings = read_timings(lines[-1])
    assert (timings.load_s, timings.prompt_tokens, timings.prefill_s) == (1.0, 26, 0.13)
    assert timings.output_tokens / timings.decode_s == 20.0
    with pytest.raises(UsageError, match="only the last"):
        read_timings(lines[0])
    assert read_timings({"done": True}).output_tokens == 0


@pytest.mark.parametrize("engine", ["sglang", "tensorrt-llm", "ollama", "llama.cpp"])
def test_the_plans_urls_are_the_engines(engine: str) -> None:
    with serving(engine) as fake:
        options = {"container": False} if engine == "llama.cpp" else {}
        urls = plan(engine, port=fake.server_address[1], **options).urls
        for name in ("health", "ready", "models"):
            with urllib.request.urlopen(urls[name]) as answer:
                assert answer.status == 200
