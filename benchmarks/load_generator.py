"""The course's load generator against vLLM bench serve, AIPerf and GuideLLM, in front of mock servers.

    python benchmarks/load_generator.py [--repeats 5] [--quick]

About half an hour, most of it the peers' start-up; they get environments of their own on first use (see peers.py).
Figures go to results/load_generator.json and README.md; --quick makes one small repeat, prints it, and keeps nothing.
Exit code 1 if a goal is missed.

Each tool runs as its users run it, as a program of its own that writes its result file, which helpers.bench.importers
reads; the course's is `./course bench`. Truth is what the mock server recorded of the same requests. CPU time is that
of the program and its children; start-up is taken out by comparing with a run of few requests.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from peers import PEERS, program
from sitting import (
    Bar,
    at_least,
    at_most,
    bar_table,
    circumstances,
    describe,
    interleave,
    markdown_table,
    run_script,
    spread,
)

from helpers.bench.importers import import_results
from helpers.bench.metrics import Distribution
from helpers.client.mock import MockServer, TrueRequest
from helpers.config import ROOT
from helpers.errors import EngineFailed
from helpers.models.catalogue import resolve

INPUT_TOKENS, OUTPUT_TOKENS = 32, 64
LIMIT_S = 600.0


@dataclass(frozen=True)
class Load:
    """So many requests, so many at once, on one of the two mock servers."""

    name: str
    mock: str
    streams: int
    requests: int


START = Load("start-up", "paced", 64, 64)
AT_64 = Load("64 streams", "paced", 64, 640)
AT_256 = Load("256 streams", "paced", 256, 1536)
FLOOD = Load("flood, 64 streams", "flood", 64, 1000)
LOADS = (START, AT_64, AT_256, FLOOD)


@dataclass(frozen=True)
class Figures:
    """One load by one tool, once; `true_` is what the mock server saw."""

    failed: int
    ttft_p50_s: float
    true_ttft_p50_s: float
    true_tokens_per_s: float
    true_peak_in_flight: int
    tokens: int
    cpu_s: float
    wall_s: float

    def __str__(self) -> str:
        error_ms = (self.ttft_p50_s - self.true_ttft_p50_s) * 1000
        rates = f"{self.true_tokens_per_s:8.0f} tokens/s {self.cpu_s:6.1f} CPU s {self.wall_s:6.1f} s"
        return f"TTFT {error_ms:+8.1f} ms {rates}"


Command = Callable[[str, str, Load, Path], tuple[list[str], Path]]
"""(URL without /v1, model, load, folder) -> the command line, and the result file it will write."""


def course(url: str, model: str, load: Load, folder: Path) -> tuple[list[str], Path]:
    """`./course bench`, which prints its result: `run` keeps that as a file."""
    argv = [sys.executable, "-m", "helpers", "bench", "--url", url, "--model", model, "--json"]
    argv += ["--concurrency", str(load.streams), "--requests", str(load.requests), "--out", str(folder / "bundle")]
    argv += ["--input-tokens", str(INPUT_TOKENS), "--output-tokens", str(OUTPUT_TOKENS)]
    return argv, folder / "output"


def vllm(url: str, model: str, load: Load, folder: Path) -> tuple[list[str], Path]:
    """`vllm bench serve`."""
    argv = [str(program("vllm", "vllm")), "bench", "serve", "--backend", "openai-chat", "--base-url", url]
    argv += ["--endpoint", "/v1/chat/completions", "--model", model, "--tokenizer", tokenizer(), "--ignore-eos"]
    argv += ["--dataset-name", "random", "--random-input-len", str(INPUT_TOKENS)]
    argv += ["--random-output-len", str(OUTPUT_TOKENS), "--num-prompts", str(load.requests), "--disable-tqdm"]
    argv += ["--max-concurrency", str(load.streams), "--save-result", "--save-detailed"]
    argv += ["--result-dir", str(folder), "--result-filename", "vllm.json"]
    return argv, folder / "vllm.json"


def aiperf(url: str, model: str, load: Load, folder: Path) -> tuple[list[str], Path]:
    """`aiperf profile`."""
    argv = [str(program("aiperf", "aiperf")), "profile", "--model", model, "--url", url, "--endpoint-type", "chat"]
    argv += ["--streaming", "--concurrency", str(load.streams), "--request-count", str(load.requests)]
    argv += ["--tokenizer", tokenizer(), "--synthetic-input-tokens-mean", str(INPUT_TOKENS)]
    argv += ["--synthetic-input-tokens-stddev", "0", "--output-tokens-mean", str(OUTPUT_TOKENS)]
    argv += ["--output-tokens-stddev", "0", "--extra-inputs", "ignore_eos:true", "--ui", "none"]
    return [*argv, "--artifact-dir", str(folder)], folder / "profile_export.jsonl"


def guidellm(url: str, model: str, load: Load, folder: Path) -> tuple[list[str], Path]:
    """`guidellm run`."""
    argv = [str(program("guidellm", "guidellm")), "run", "--disable-console"]
    argv += ["--backend", f"kind=openai_http,target={url},model={model},request_format=/v1/chat/completions"]
    argv += ["--profile", f"kind=concurrent,streams={load.streams}"]
    argv += ["--constraint", f"kind=max_requests,count={load.requests}"]
    argv += ["--data", f"kind=synthetic_text,prompt_tokens={INPUT_TOKENS},output_tokens={OUTPUT_TOKENS}"]
    argv += ["--tokenizer", f"kind=huggingface_auto,model={tokenizer()}"]
    return [*argv, "--output", f"kind=json,path={folder / 'guidellm.json'}"], folder / "guidellm.json"


TOOLS: dict[str, Command] = {"course": course, "vllm": vllm, "aiperf": aiperf, "guidellm": guidellm}


def tokenizer() -> str:
    """The course model's folder: all tools make their prompts with its tokenizer."""
    return str(resolve("course").directory)


def run(tool: str, mock: MockServer, load: Load) -> Figures:
    """Run a tool to its end and compare what it says with what the mock saw.

    Raises:
        EngineFailed: it failed; the message carries its own last words.
    """
    mock.reset()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        argv, result_file = TOOLS[tool](mock.url.removesuffix("/v1"), mock.model, load, folder)
        with (folder / "output").open("wb") as output, (folder / "log").open("wb") as log:
            started_s = time.monotonic()
            process = subprocess.Popen(argv, stdout=output, stderr=log, cwd=ROOT, env=environment(tool))
            cpu_s, status = wait(process)
            wall_s = time.monotonic() - started_s
        if status:
            words = (folder / "log").read_text(errors="replace") + (folder / "output").read_text(errors="replace")
            raise EngineFailed(f"{tool} failed at {load.name}", " ".join(words.split()[-60:]), "")
        failed, ttft_p50_s = read_result(tool, result_file)
    truth = mock.truth()
    requests = sorted(truth.requests, key=lambda request: request.received_s)[-load.requests :]
    return Figures(
        failed=failed,
        ttft_p50_s=ttft_p50_s,
        true_ttft_p50_s=true_ttft(requests),
        true_tokens_per_s=sum(request.tokens for request in requests) / duration_s(requests),
        true_peak_in_flight=truth.peak_in_flight,
        tokens=sum(request.tokens for request in truth.requests),
        cpu_s=cpu_s,
        wall_s=wall_s,
    )


def environment(tool: str) -> dict[str, str]:
    """Nobody asks a hub or reports home; AIPerf takes a local folder for a hub's name if it is told to be offline.

    AIPerf's parts get longer than its 30 s to find each other, which two busy cores need.
    """
    told = {**os.environ, "NO_PROXY": "127.0.0.1", "VLLM_NO_USAGE_STATS": "1"}
    told.pop("PYTHONPATH", None)
    if tool == "course":
        return {**told, "PYTHONPATH": str(ROOT)}
    if tool == "aiperf":
        waits = {"AIPERF_SERVICE_REGISTRATION_TIMEOUT": "240", "AIPERF_SERVICE_REGISTRATION_MAX_ATTEMPTS": "240"}
        return {**told, **waits}
    return {**told, "HF_HUB_OFFLINE": "1"}


def wait(process: "subprocess.Popen[bytes]") -> tuple[float, int]:
    """Wait for a program's end; its CPU time with that of the children it waited for, and its exit status."""
    deadline_s = time.monotonic() + LIMIT_S
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return usage.ru_utime + usage.ru_stime, process.returncode
        if time.monotonic() > deadline_s:
            process.kill()
        time.sleep(0.1)


def read_result(tool: str, file: Path) -> tuple[int, float]:
    """Failed requests and TTFT p50, as the tool tells them."""
    if tool == "course":
        (point,) = json.loads(file.read_text())["points"]
        return point["errors"], point["ttft_s"]["p50"]
    (result,) = import_results(file)
    ttft = result.metrics.ttft_s
    if ttft is None:
        raise EngineFailed(f"{tool} measured no first token", result.records[0].error, "")
    return result.metrics.errors, ttft.p50


def true_ttft(requests: list[TrueRequest]) -> float:
    """The median of what the mock did."""
    distribution = Distribution.of(request.ttft_s for request in requests if request.ttft_s is not None)
    if distribution is None:
        raise EngineFailed("no request reached the mock server", "", "")
    return distribution.p50


def duration_s(requests: list[TrueRequest]) -> float:
    """From the first request received to the last token written."""
    return max(request.writes_s[-1] for request in requests if request.writes_s) - requests[0].received_s


def sit(repeats: int, share: float) -> Iterator[dict[str, Any]]:
    """Measure everything, with `share` of the requests; what there is so far, after each repeat."""
    for tool in TOOLS:
        if tool in PEERS:
            program(tool, tool)  # installed before anything is measured
    before = circumstances()
    with contextlib.ExitStack() as stack:
        paced = stack.enter_context(MockServer(ttft_s=0.05, gap_s=0.005, output_tokens=OUTPUT_TOKENS, model="paced"))
        flood = stack.enter_context(MockServer(ttft_s=0, gap_s=0, output_tokens=OUTPUT_TOKENS, model="flood"))
        mocks = {"paced": paced, "flood": flood}

        def run_load(load: Load, tool: str) -> Figures:
            requests = max(load.streams, round(load.requests * share))
            return run(tool, mocks[load.mock], replace(load, requests=requests))

        yield from interleave(before, repeats, LOADS, list(TOOLS), run_load)


def column(result: dict[str, Any], load: Load, tool: str, figure: str) -> list[float]:
    """One figure of all repeats."""
    return [repeat[figure] for repeat in result["figures"][load.name][tool]]


def errors_s(result: dict[str, Any], load: Load, tool: str) -> list[float]:
    """TTFT p50 as told minus as it was."""
    told, true = (column(result, load, tool, figure) for figure in ("ttft_p50_s", "true_ttft_p50_s"))
    return [value - truth for value, truth in zip(told, true, strict=True)]


def cpu_per_1000_tokens(result: dict[str, Any], tool: str) -> list[float]:
    """CPU seconds for 1,000 more tokens: from the start-up run to the one at 256 streams."""
    more, less = (
        list(zip(column(result, load, tool, "cpu_s"), column(result, load, tool, "tokens"), strict=True))
        for load in (AT_256, START)
    )
    return [
        (cpu_s - start_s) / (tokens - few) * 1000
        for (cpu_s, tokens), (start_s, few) in zip(more, less, strict=True)
        if tokens > few
    ]


def find_bars(result: dict[str, Any]) -> list[Bar]:
    """The goals of the load generator, from ratios within each repeat."""
    peers = [tool for tool in TOOLS if tool != "course"]

    def error_share(load: Load) -> list[float]:
        best = [min(map(abs, values)) for values in zip(*(errors_s(result, load, peer) for peer in peers), strict=True)]
        return [abs(ours) / theirs for ours, theirs in zip(errors_s(result, load, "course"), best, strict=True)]

    def flood_times(peer: str) -> list[float]:
        pairs = zip(*(column(result, FLOOD, tool, "true_tokens_per_s") for tool in ("course", peer)), strict=True)
        return [ours / theirs for ours, theirs in pairs]

    def cpu_share(peer: str) -> list[float]:
        # Of medians: start-up varies more between repeats than the tokens of one repeat cost.
        return [median(cpu_per_1000_tokens(result, "course")) / median(cpu_per_1000_tokens(result, peer))]

    return [
        at_most("TTFT p50 error at 64, share of the best peer's", error_share(AT_64), 1 / 4),
        at_most("TTFT p50 error at 256, share of the best peer's", error_share(AT_256), 1 / 5),
        at_least(
            "peak in flight at 256, as the server saw it", column(result, AT_256, "course", "true_peak_in_flight"), 256
        ),
        at_least("flood tokens/s, times AIPerf's", flood_times("aiperf"), 3),
        at_least("flood tokens/s, times GuideLLM's", flood_times("guidellm"), 3),
        at_least("flood tokens/s, times vLLM's", flood_times("vllm"), 0.9),
        at_most("CPU per token, share of GuideLLM's", cpu_share("guidellm"), 1 / 6),
        at_most("CPU per token, share of vLLM's", cpu_share("vllm"), 1),
    ]


def render(result: dict[str, Any]) -> str:
    """The tables in Markdown."""
    rows = []
    for load in LOADS:
        for tool in TOOLS:
            errors = spread([value * 1000 for value in errors_s(result, load, tool)], 1)
            cells = [load.name if tool == "course" else "", tool, errors]
            for figure, digits in (("true_tokens_per_s", 0), ("true_peak_in_flight", 0), ("cpu_s", 1), ("wall_s", 1)):
                cells.append(spread(column(result, load, tool, figure), digits))
            rows.append([*cells, str(sum(repeat["failed"] for repeat in result["figures"][load.name][tool]))])
    head = ("load", "tool", "TTFT p50 told minus true, ms", "tokens/s, true", "peak in flight, true", "CPU s", "wall s")
    cpu_rows = [[tool, spread(cpu_per_1000_tokens(result, tool), 4)] for tool in TOOLS]
    versions = ", ".join(f"{PEERS[tool].title} {PEERS[tool].version}" for tool in TOOLS if tool in PEERS)
    line = describe(result["circumstances"], result["load_average_after"], result["repeats"])
    return (
        f"{line} Peers: {versions}.\n\n{bar_table(find_bars(result))}\n"
        f"{markdown_table((*head, 'failed'), rows)}\n"
        f"{markdown_table(('tool', 'CPU s per 1,000 tokens, start-up removed'), cpu_rows)}"
    )


if __name__ == "__main__":
    sys.exit(run_script("load_generator", __doc__, sit, render, find_bars))
