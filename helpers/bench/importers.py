"""Result files of other load generators, read into this course's records and figures.

| tool | file | it keeps of each request |
|---|---|---|
| vLLM `bench serve` | JSON of --save-result --save-detailed | start, client queue, TTFT, every gap, latency |
| AIPerf | profile_export.jsonl, with profile_export_aiperf.json beside it | start, TTFT, every gap, latency |
| GuideLLM | JSON (`--output kind=json`) | start, first and last token, end; no gaps |

The figures are computed anew from those times, under this course's definitions (`helpers.bench.metrics`): tools that
give one name to different things can be compared then. What a tool counts in its own way is in `notes`.
Formats as of vLLM 0.32, AIPerf 0.13, GuideLLM 0.8.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from typing import Any

from helpers.bench.metrics import Metrics, summarize
from helpers.client.records import RequestRecord, Usage
from helpers.errors import MissingError, UsageError

VLLM_NOTE = "a chunk is every event with a choice: the role at the start and the end of the answer count as chunks"
GUIDELLM_NOTE = "GuideLLM keeps the first and the last token's time only: there is no inter-token latency"


@dataclass(frozen=True, slots=True)
class ImportedResult:
    """What another tool measured.

    Attributes:
        tool: vllm, aiperf or guidellm; version: as the file says, empty if it does not.
        concurrency: requests kept in flight, as the tool was asked; None for another load shape.
        records: one a request; times are relative to the first request's start.
        metrics: from the records; figures that the file cannot give are None.
        notes: what differs from a run of this course's client.
        origin: always "recorded": nobody here has watched the run.
    """

    tool: str
    version: str
    model: str
    concurrency: int | None
    records: tuple[RequestRecord, ...]
    metrics: Metrics
    notes: tuple[str, ...]
    origin: str = "recorded"


def import_results(path: Path | str) -> list[ImportedResult]:
    """Read a result file; GuideLLM's may hold several results, the others hold one.

    Raises:
        MissingError: no such file. UsageError: it is of none of the known forms, or kept without its requests.
    """
    path = Path(path)
    if path.is_dir():
        path = path / "profile_export.jsonl"
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise MissingError(f"cannot read {path}", error.strerror or "", "") from error
    except UnicodeDecodeError as error:
        raise _unknown(path) from error
    try:
        if path.suffix == ".jsonl":
            return [_aiperf(path, [json.loads(line) for line in text.splitlines() if line.strip()])]
        value = json.loads(text)
        if "benchmarks" in value:
            version = str(value.get("metadata", {}).get("guidellm_version", ""))
            model = str(value.get("config", {}).get("spec", {}).get("backend", {}).get("model", ""))
            return [_guidellm(benchmark, version, model) for benchmark in value["benchmarks"]]
        if "request_throughput" in value and "model_id" in value:
            return [_vllm(path, value)]
    except (json.JSONDecodeError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise _unknown(path) from error
    raise _unknown(path)


def _vllm(path: Path, value: dict[str, Any]) -> ImportedResult:
    if "itls" not in value:
        raise UsageError(
            f"{path} has no times of single requests", "it was saved without --save-detailed", "add --save-detailed"
        )
    count = len(value["start_times"])
    queues = value.get("queue_times") or [0.0] * count
    columns = ("start_times", "ttfts", "itls", "latencies", "input_lens", "output_lens", "errors")
    rows = zip(*(value[name] for name in columns), queues, strict=True)
    records = []
    for number, (start_s, ttft_s, gaps_s, latency_s, prompt, output, error, queue_s) in enumerate(rows):
        failed = bool(error) or not ttft_s
        records.append(
            RequestRecord(
                request_id=str(number),
                scheduled_s=start_s - queue_s,
                sent_s=start_s,
                chunk_s=[] if failed else _times(start_s + ttft_s, gaps_s),
                done_s=None if failed else start_s + latency_s,
                usage=Usage(prompt_tokens=prompt, output_tokens=output),
                error=(_line(error) or "no token came") if failed else "",
            )
        )
    return _result("vllm", "", value["model_id"], value.get("max_concurrency"), records, (VLLM_NOTE,))


def _aiperf(path: Path, rows: Sequence[dict[str, Any]]) -> ImportedResult:
    summary_file = path.with_name("profile_export_aiperf.json")
    summary = json.loads(summary_file.read_text(encoding="utf-8")) if summary_file.is_file() else {}
    config = summary.get("input_config", {})
    phases = [phase for phase in config.get("phases", ()) if phase.get("kind") == "profiling"]
    models = [item["name"] for item in config.get("models", {}).get("items", ())]
    records = []
    for row in rows:
        metadata, metrics, error = row["metadata"], row["metrics"], row.get("error")
        if metadata["benchmark_phase"] != "profiling":
            continue
        start_s = metadata["request_start_ns"] / 1e9
        first = None if error else metrics["time_to_first_token"]["value"] / 1e3
        gaps_s = (
            [gap / 1e3 for gap in metrics["inter_chunk_latency"]["value"]] if "inter_chunk_latency" in metrics else []
        )
        records.append(
            RequestRecord(
                request_id=metadata["x_request_id"],
                scheduled_s=metadata["credit_issued_ns"] / 1e9,
                sent_s=start_s,
                chunk_s=[] if first is None else _times(start_s + first, gaps_s),
                done_s=metadata["request_end_ns"] / 1e9,
                usage=Usage(
                    prompt_tokens=_value(metrics, "usage_prompt_tokens", "input_sequence_length"),
                    output_tokens=_value(metrics, "usage_completion_tokens", "output_sequence_length"),
                    cached_tokens=_value(metrics, "usage_prompt_cache_read_tokens"),
                ),
                error=_line(error["message"]) if error else "",
            )
        )
    version, concurrency = str(summary.get("aiperf_version", "")), phases[0].get("concurrency") if phases else None
    return _result("aiperf", version, models[0] if models else "", concurrency, records, ())


def _guidellm(benchmark: dict[str, Any], version: str, model: str) -> ImportedResult:
    requests = benchmark["requests"]
    records = []
    for outcome in ("successful", "errored", "incomplete"):
        for request in requests.get(outcome) or ():
            timings, good = request["info"]["timings"], outcome == "successful"
            first, last = timings["first_token_iteration"], timings["last_token_iteration"]
            error = _line(request["info"].get("error") or f"GuideLLM says {outcome}")
            records.append(
                RequestRecord(
                    request_id=request["request_id"],
                    scheduled_s=timings["targeted_start"],
                    sent_s=timings["request_start"],
                    chunk_s=[first, last] if good and first is not None else [],
                    done_s=timings["request_end"],
                    usage=Usage(prompt_tokens=request["prompt_tokens"], output_tokens=request["output_tokens"]),
                    error="" if good else error,
                )
            )
    streams = benchmark["config"]["strategy"].get("streams")
    result = _result("guidellm", version, model, streams, records, (GUIDELLM_NOTE,))
    return replace(result, metrics=replace(result.metrics, itl_s=None, steady_output_tokens_per_s=None))


def _result(
    tool: str,
    version: str,
    model: str,
    concurrency: int | None,
    records: Sequence[RequestRecord],
    notes: Iterable[str],
) -> ImportedResult:
    """Put the records on a clock that starts with the first request."""
    sent = [record.sent_s for record in records if record.sent_s is not None]
    if not sent:
        raise ValueError("no request was sent")
    zero_s = min(sent)

    def shifted(time_s: float | None) -> float | None:
        return None if time_s is None else time_s - zero_s

    moved = [
        replace(
            record,
            scheduled_s=record.scheduled_s - zero_s,
            sent_s=shifted(record.sent_s),
            chunk_s=[time_s - zero_s for time_s in record.chunk_s],
            finish_s=shifted(record.finish_s),
            done_s=shifted(record.done_s),
        )
        for record in sorted(records, key=lambda record: record.sent_s or 0.0)
    ]
    return ImportedResult(tool, version, model, concurrency, tuple(moved), summarize(moved), tuple(notes))


def _times(first_s: float, gaps_s: Iterable[float]) -> list[float]:
    return list(accumulate(gaps_s, initial=first_s))


def _value(metrics: dict[str, Any], *names: str) -> int | None:
    """The first of these metrics that the row has."""
    return next((int(metrics[name]["value"]) for name in names if name in metrics), None)


def _line(text: object) -> str:
    """An error on one line, not too long."""
    return " ".join(str(text or "").split())[:200]


def _unknown(path: Path) -> UsageError:
    return UsageError(
        f"{path} is no result file that is known here",
        "known are vLLM bench serve (JSON), AIPerf (profile_export.jsonl) and GuideLLM (JSON)",
        "",
    )
