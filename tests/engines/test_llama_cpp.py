"""llama.cpp itself, on a random model: it answers, its traps are refused, its failures explained, and it goes."""

import asyncio
import dataclasses
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import helpers
from helpers.config import ROOT
from helpers.engines import adapter as adapters
from helpers.engines.llama_cpp import ADAPTER, LlamaCpp
from helpers.engines.plan import LaunchPlan, ServeConfig
from helpers.engines.server import Server
from helpers.engines.starting import start
from helpers.errors import CourseError, EngineFailed, UsageError
from tests.engines.conftest import is_gone, until

WORDS = "the key value cache keeps keys and values"


@pytest.fixture(scope="module")
def server(tiny_model: str):
    with helpers.launch("llama.cpp", tiny_model, precision="f32", max_num_seqs=2) as server:
        yield server


def test_it_chats_with_usage_and_timings(server: Server) -> None:
    reply = server.chat(WORDS, max_tokens=6, temperature=0, ignore_eos=True)
    assert reply.text == str(reply) != ""
    assert reply.usage.output_tokens == 6
    assert reply.usage.prompt_tokens is not None
    assert reply.timings["predicted_n"] == 6
    assert reply.finish_reason == "length"
    assert reply.record.ttft_s is not None
    assert reply.record.ok


def test_all_forms_give_the_same_words(server: Server) -> None:
    options = {"max_tokens": 20, "temperature": 0, "ignore_eos": True}
    whole = server.chat(WORDS, **options).text

    async def both() -> tuple[str, str, str]:
        pieces = [words async for words in server.astream(WORDS, **options)]
        # The plain form must work where a loop runs already, as in Jupyter.
        return (await server.achat(WORDS, **options)).text, "".join(pieces), server.chat(WORDS, **options).text

    assert "".join(server.stream(WORDS, **options)) == whole
    assert asyncio.run(both()) == (whole, whole, whole)


def test_it_says_what_it_is(server: Server) -> None:
    assert (server.engine, server.precision) == ("llama.cpp", "f32")
    assert "xllamacpp" in server.backend
    assert "1 thread" in server.backend


def test_its_metrics_have_the_common_names(server: Server) -> None:
    server.chat(WORDS, max_tokens=3)
    values = server.metrics()
    assert values["output_tokens_total"] > 0
    assert values["prefill_seconds_total"] > 0
    assert values["requests_running"] == values["requests_waiting"] == values["kv_cache_usage"] == 0


def test_a_prompt_that_is_too_long_is_told_with_the_counts(server: Server) -> None:
    with pytest.raises(helpers.RequestFailed, match=r"HTTP 400: request \(\d+ tokens\) exceeds") as caught:
        server.chat("too long " * 300)
    assert caught.value.record.status == 400


def test_leaving_a_stream_frees_its_slot(server: Server) -> None:
    for _ in server.stream(WORDS, max_tokens=200, ignore_eos=True):
        break
    assert until(lambda: server.metrics()["requests_running"] == 0, 2.0)


def test_speculation_proposes_and_accepts(tiny_model: str, tiny_gguf: Path) -> None:
    options = {"max_tokens": 60, "temperature": 0, "ignore_eos": True}
    with helpers.launch("llama.cpp", tiny_model, precision="f32") as plain:
        expected = plain.chat(WORDS, **options).text
    for draft in (str(tiny_gguf), tiny_model):
        with helpers.launch(
            "llama.cpp", tiny_model, precision="f32", speculation="draft", draft_model=draft, draft_tokens=3
        ) as drafted:
            reply = drafted.chat(WORDS, **options)
            assert drafted.metrics()["draft_tokens_total"] > 0
        assert reply.text == expected
        assert reply.usage.draft_tokens
        assert reply.usage.accepted_tokens == reply.usage.draft_tokens  # it is its own draft
    with helpers.launch("llama.cpp", tiny_model, precision="f32", speculation="ngram") as guessed:
        # A biased token repeats for ever, so that there is something to guess.
        reply = guessed.chat(WORDS, logit_bias={"70": 100}, **options)
        assert reply.usage.accepted_tokens


def test_a_draft_that_is_no_eagle_head_is_refused(tiny_model: str, tiny_gguf: Path) -> None:
    with pytest.raises(EngineFailed, match="without speculation: draft model is not eagle3"):
        helpers.launch("llama.cpp", tiny_model, speculation="eagle3", draft_model=str(tiny_gguf))


def test_a_gguf_file_is_served_at_its_own_precision(tiny_gguf: Path) -> None:
    with helpers.launch("llama.cpp", str(tiny_gguf), embeddings=True, extra={"n_ubatch": 64}) as server:
        assert server.precision == "f32"
        assert server.chat("hi", max_tokens=2).usage.output_tokens == 2


def test_prefix_caching_can_be_off(tiny_model: str) -> None:
    for wanted in (True, False):
        with helpers.launch("llama.cpp", tiny_model, max_num_seqs=1, prefix_caching=wanted) as server:
            server.chat(WORDS, max_tokens=2)
            assert bool(server.chat(WORDS, max_tokens=2).usage.cached_tokens) is wanted


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_model_len": 257}, "trained for 256 positions"),
        ({"max_num_seqs": 257}, "at most 256 slots"),
        ({"threads": 999}, "cores"),
        ({"precision": "fp8"}, "does not serve fp8"),
        ({"tensor_parallel": 2}, "has no tensor_parallel"),
        ({"extra": {"n_ubach": 1}}, "did you mean n_ubatch"),
    ],
)
def test_its_traps_are_refused_before_it_starts(tiny_model: str, options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        helpers.launch("llama.cpp", tiny_model, **options)


def test_a_damaged_or_missing_file_is_named(tiny_gguf: Path, tmp_path: Path) -> None:
    truncated = tmp_path / "truncated.gguf"
    truncated.write_bytes(tiny_gguf.read_bytes()[:100_000])
    (tmp_path / "text.gguf").write_text("not a model")
    for path in (truncated, tmp_path / "text.gguf", tmp_path / "missing.gguf"):
        with pytest.raises(CourseError, match=path.name):
            helpers.launch("llama.cpp", str(path))


@dataclasses.dataclass
class Altered(LlamaCpp):
    """The adapter with parameters that its own checks would not let pass."""

    changes: dict[str, object]

    def plan(self, config: ServeConfig) -> LaunchPlan:
        plan = super().plan(config)
        ((path, text),) = plan.files.items()
        return dataclasses.replace(plan, files={path: json.dumps({**json.loads(text), **self.changes})})


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing", None, r"cannot be opened: No such file"),
        ("truncated", 100_000, "truncated"),
        ("other", b"PK\x03\x04 something else", "not GGUF"),
        ("empty", b"", "not GGUF"),
    ],
)
def test_what_llama_cpp_says_of_a_bad_file_is_understood(
    tiny_gguf: Path, tmp_path: Path, name: str, content: int | bytes | None, message: str
) -> None:
    path = tmp_path / f"{name}.gguf"
    if content is not None:
        path.write_bytes(tiny_gguf.read_bytes()[:content] if isinstance(content, int) else content)
    config = adapters.complete(ADAPTER, ServeConfig(model=str(tiny_gguf)))
    with pytest.raises(EngineFailed, match=message):
        start(Altered({"model": str(path)}), config)


def test_the_plan_is_a_command_that_works_by_itself(tiny_model: str) -> None:
    config = adapters.complete(ADAPTER, ServeConfig(model=tiny_model, precision="q8_0"))
    with helpers.launch("llama.cpp", tiny_model, precision="q8_0"):
        pass  # writes the plan's file
    plan = ADAPTER.plan(config.at_port(_free_port()))
    assert all(Path(path).read_text() == text for path, text in plan.files.items())
    served = subprocess.Popen(["/bin/sh", "-c", f"exec env {plan.shell}"], cwd="/", stderr=subprocess.DEVNULL)
    try:
        assert until(lambda: _answers(plan.urls["api"]), 20.0)
    finally:
        served.terminate()
        served.wait(5)


def test_it_stops_at_once_with_clients_streaming(tiny_model: str) -> None:
    server = helpers.launch("llama.cpp", tiny_model, max_num_seqs=4)
    failures: list[Exception] = []

    def ask() -> None:
        try:
            while True:
                server.client.chat(WORDS, max_tokens=200, ignore_eos=True)
        except CourseError as error:
            failures.append(error)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    assert until(lambda: server.metrics()["requests_running"] > 0)
    started_s = time.monotonic()
    server.stop()
    assert time.monotonic() - started_s < 2.0
    for thread in threads:
        thread.join(10)
    assert len(failures) == 8


def test_its_death_in_mid_stream_is_an_error_with_its_end(tiny_model: str) -> None:
    with helpers.launch("llama.cpp", tiny_model) as server:
        assert server.pid is not None
        stream = server.stream(WORDS, max_tokens=220, ignore_eos=True)
        next(stream)
        os.kill(server.pid, signal.SIGKILL)
        with pytest.raises(EngineFailed, match="ended by SIGKILL"):
            list(stream)
        assert server.pid is not None
        assert is_gone(server.pid)


def test_cycles_of_start_and_kill_leave_no_process(tiny_model: str) -> None:
    for cycle in range(10):
        server = helpers.launch("llama.cpp", tiny_model)
        assert server.pid is not None
        if cycle % 2:
            os.kill(server.pid, signal.SIGKILL)
        server.stop()
        assert is_gone(server.pid)


def test_it_goes_when_the_kernel_restarts(tiny_model: str) -> None:
    """What Jupyter's restart does: SIGKILL to a kernel whose loop runs, with a stream open."""
    code = (
        "import asyncio, helpers\n"
        "async def cell():\n"
        f"    server = helpers.launch('llama.cpp', {tiny_model!r})\n"
        "    stream = server.stream('hello', max_tokens=200, ignore_eos=True)\n"
        "    next(stream)\n"
        "    print(server.pid, flush=True)\n"
        "    await asyncio.sleep(60)\n"
        "asyncio.run(cell())"
    )
    kernel = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE)
    assert kernel.stdout is not None
    pid = int(kernel.stdout.readline())
    assert not is_gone(pid)
    kernel.kill()
    kernel.wait()
    kernel.stdout.close()
    assert until(lambda: is_gone(pid))


def _free_port() -> int:
    from helpers.engines.ports import HeldPort

    with HeldPort() as port:
        return port.number


def _answers(url: str) -> bool:
    from helpers.engines import probe

    return probe.get(f"{url}/models").status == 200
