"""Runs made by rule instead of by measuring, so that every figure of them is known."""

from typing import Any

from helpers.bench.arrivals import ClosedLoop
from helpers.bench.provenance import machine_id
from helpers.bench.run import Run
from helpers.bench.target import Target
from helpers.bench.workloads import unique_prompts
from helpers.client.records import RequestRecord, Usage


def provenance(machine: str = "") -> dict[str, Any]:
    return {
        "machine_id": machine or machine_id(),
        "date": "2026-11-20T10:00:00+00:00",
        "seed": 1,
        "load_average": 0.1,
        "git_commit": "0123456789ab",
        "python": "3.11.9",
        "versions": {"course": "1.0.0", "numpy": "2.4.6"},
        "hardware": {"processor": "Sample CPU", "cores": 2, "memory_bytes": 8 * 2**30, "system": "Linux", "gpus": []},
    }


def make_records(
    concurrency: int, requests: int, *, ttft_s: float, tpot_s: float, input_tokens: int, output_tokens: int
) -> tuple[RequestRecord, ...]:
    """`concurrency` streams back to back; each answer takes its TTFT and a gap a token, a little longer each time."""
    free_s = [0.0] * concurrency
    records = []
    for number in range(requests):
        stream = number % concurrency
        slower = 1 + 0.02 * (number % 5)
        first = free_s[stream] + ttft_s * slower
        chunks = [first + tpot_s * slower * step for step in range(output_tokens)]
        records.append(
            RequestRecord(
                request_id=str(number),
                scheduled_s=free_s[stream],
                sent_s=free_s[stream],
                chunk_s=chunks,
                done_s=chunks[-1],
                usage=Usage(prompt_tokens=input_tokens, output_tokens=output_tokens, cached_tokens=0),
                finish_reason="length",
                status=200,
            )
        )
        free_s[stream] = chunks[-1] + 0.001
    return tuple(records)


def make_run(
    engine: str = "llama.cpp",
    precision: str = "f32",
    concurrency: int = 1,
    *,
    model: str = "course-heavy",
    ttft_s: float = 0.1,
    tpot_s: float = 0.02,
    input_tokens: int = 128,
    output_tokens: int = 16,
    repeats: int = 1,
    requests: int = 16,
    machine: str = "",
    error: str = "",
    client_error: dict[str, Any] | None = None,
) -> Run:
    """A closed-loop run; `error` fails its first request; repeats differ by a few percent."""
    workload = unique_prompts(input_tokens, output_tokens, seed=1)
    of_repeats = tuple(
        make_records(
            concurrency,
            requests,
            ttft_s=ttft_s * (1 + 0.01 * repeat),
            tpot_s=tpot_s * (1 + 0.01 * repeat),
            input_tokens=input_tokens,
            output_tokens=output_tokens,
        )
        for repeat in range(repeats)
    )
    if error:
        of_repeats[0][0].error = error
    return Run(
        label=f"{engine} {precision}",
        target=Target(
            url="http://127.0.0.1:1/v1",
            engine=engine,
            model=model,
            precision=precision,
            backend=f"{engine} on CPU",
        ),
        workload=workload,
        arrivals=ClosedLoop(concurrency),
        requests=requests,
        repeats=of_repeats,
        provenance=provenance(machine),
        client_error=client_error,
    )
