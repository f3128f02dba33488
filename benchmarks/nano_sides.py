"""What is compared with nano in process: nano over HTTP, llama.cpp's server, and transformers.generate."""

import json
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from helpers.bench.arrivals import ClosedLoop
from helpers.bench.metrics import Distribution
from helpers.bench.race import Job, Lap
from helpers.bench.runner import measure
from helpers.bench.workloads import Workload
from helpers.engines import catalog, environments
from helpers.engines.server import Server
from helpers.models.catalogue import resolve
from helpers.nano.engine import Engine

SCRIPT = Path(__file__).resolve().parent / "nano_transformers.py"
END_LIMIT_S = 20.0


@dataclass(frozen=True)
class Figures:
    """One load on one side, once; what a side cannot tell is None.

    Attributes:
        tokens_per_s: prompts and answers.
        requests_per_s: complete ones.
        waste: share of the used blocks' places that held no token, over all steps.
        cached_share: share of the prompt tokens that were not computed.
    """

    tokens_per_s: float
    output_tokens_per_s: float
    requests_per_s: float
    ttft_p90_s: float | None = None
    waste: float | None = None
    cached_share: float | None = None

    def __str__(self) -> str:
        first = "" if self.ttft_p90_s is None else f", TTFT p90 {self.ttft_p90_s * 1000:.0f} ms"
        return f"{self.tokens_per_s:8.0f} tokens/s{first}"


def drive(engine: Engine, jobs: Sequence[Job]) -> Figures:
    """Run requests through an engine in this process; all are there at the start."""
    ttft_s: list[float] = []
    started_s = time.perf_counter()
    for job in jobs:
        engine.add_request(job.prompt, max_tokens=job.max_tokens, ignore_eos=True)
    while engine.has_work:
        for output in engine.step():
            if output.request.output_tokens == len(output.tokens):
                ttft_s.append(time.perf_counter() - started_s)
    duration_s = time.perf_counter() - started_s
    counters, first = engine.counters, Distribution.of(ttft_s)
    records = engine.trace.records if engine.trace is not None else ()
    reserved = sum(record.used_blocks * record.block_size for record in records)
    return Figures(
        tokens_per_s=(counters.prompt_tokens + counters.generated_tokens) / duration_s,
        output_tokens_per_s=counters.generated_tokens / duration_s,
        requests_per_s=counters.finished / duration_s,
        ttft_p90_s=first.p90 if first else None,
        waste=1 - sum(record.filled_tokens for record in records) / reserved if reserved else None,
        cached_share=counters.cached_tokens / counters.prompt_tokens,
    )


def summarize_lap(lap: Lap, jobs: Sequence[Job]) -> Figures:
    """An engine's way through a race, by its own clock."""
    first = lap.ttft_s
    return Figures(
        tokens_per_s=(sum(len(job.prompt) for job in jobs) + lap.output_tokens) / lap.clock_s,
        output_tokens_per_s=lap.output_tokens_per_s,
        requests_per_s=lap.finished / lap.clock_s,
        ttft_p90_s=first.p90 if first else None,
        waste=lap.kv_waste,
    )


def send(server: Server, workload: Workload, streams: int, requests: int) -> Figures:
    """The same over HTTP, from a closed loop.

    Raises:
        AssertionError: a request failed, so that the figures would mean nothing.
    """
    metrics = measure(server, workload, ClosedLoop(streams), requests, warmup=streams).metrics
    assert metrics.errors == 0, f"{metrics.errors} requests failed"
    assert metrics.output_tokens is not None
    assert metrics.input_tokens is not None
    return Figures(
        tokens_per_s=(metrics.input_tokens + metrics.output_tokens) / metrics.duration_s,
        output_tokens_per_s=metrics.output_tokens / metrics.duration_s,
        requests_per_s=requests / metrics.duration_s,
        ttft_p90_s=metrics.ttft_s.p90 if metrics.ttft_s else None,
    )


def transformers_python() -> Path | None:
    """A Python with transformers and a CPU build of torch: that of the course's vLLM environment, if it is there."""
    release = next((release for release in environments.installed("vllm")), None)
    return environments.folder_of("vllm", release) / "bin" / "python" if release else None


class Transformers:
    """transformers.generate on the course model, in its own process; a context manager."""

    def __init__(self, python: Path, threads: int) -> None:
        directory = resolve("course").directory
        environment = {"OMP_NUM_THREADS": str(threads), "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"}
        self._process = subprocess.Popen(
            [str(python), str(SCRIPT), str(directory), str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment | {"PATH": "/usr/bin:/bin"},
        )
        self._read()

    def __enter__(self) -> "Transformers":
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(END_LIMIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def run(self, jobs: Sequence[Job], batch: int) -> Figures:
        """Static batches of this size, in the order of the jobs; tokens beyond a request's own length do not count."""
        assert self._process.stdin is not None
        requests = [(job.prompt, job.max_tokens) for job in jobs]
        self._process.stdin.write(json.dumps({"batch": batch, "requests": requests}) + "\n")
        self._process.stdin.flush()
        duration_s = float(self._read()["seconds"])
        output_tokens = sum(job.max_tokens for job in jobs)
        return Figures(
            tokens_per_s=(sum(len(job.prompt) for job in jobs) + output_tokens) / duration_s,
            output_tokens_per_s=output_tokens / duration_s,
            requests_per_s=len(jobs) / duration_s,
        )

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "transformers ended; see its words above"
        answer: dict[str, Any] = json.loads(line)
        return answer


def what_transformers_needs() -> str:
    """Why its row is not there."""
    return (
        f"not-run: needs ./course engines install vllm ({catalog.find('vllm').title}'s CPU build brings transformers)"
    )
