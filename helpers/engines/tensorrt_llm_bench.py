"""trtllm-bench for prefill: random prompts of one length, one token out, one request at a time.

With one token out, tokens per second of prefill is the prompt's length divided by the time to the first token.
Flags: trtllm-bench of 1.3.0rc26 (tests/data/flags). Reports: tensorrt_llm/bench/dataclasses/reporting.py of 2026.
"""

import json
import shlex
from dataclasses import dataclass
from pathlib import Path

from helpers.engines.job import Job
from helpers.errors import MissingError, UsageError

PROMPT_TOKENS = (128, 512, 2048, 8192)
REQUESTS = 8
TOKEN_IDS = 30000
"""Random ids below this are tokens of every model in the catalogue."""


def prefill_script(job: Job, settings: str) -> str:
    """One run per prompt length that fits; results as JSON beside the data sets."""
    lengths = [length for length in PROMPT_TOKENS if length < job.context_length]
    source = job.source.location
    words = ["trtllm-bench", "--model", source, *(["--model_path", source] if job.source.is_path else [])]
    words += ["--workspace", "/tmp/trtllm-bench", "throughput", "--backend", "pytorch", "--streaming"]
    words += ["--concurrency", "1", "--num_requests", str(REQUESTS), "--max_seq_len", str(job.context_length)]
    words += ["--tp", str(job.config.tensor_parallel), "--config", settings]
    return f"""#!/bin/sh
# Prefill: prompt tokens / time to first token, for each length. The server must not hold the GPU meanwhile.
set -eu
OUT=${{TRTLLM_BENCH_OUT:-/tmp/trtllm-bench}}
mkdir -p "$OUT"
for LENGTH in {" ".join(str(length) for length in lengths)}; do
  DATA="$OUT/prompts-$LENGTH.jsonl"
  python3 - "$LENGTH" > "$DATA" <<'END'
import json, random, sys
random.seed(1)
for task in range({REQUESTS}):
    ids = [random.randrange(10, {TOKEN_IDS}) for _ in range(int(sys.argv[1]))]
    print(json.dumps({{"task_id": task, "input_ids": ids, "output_tokens": 1}}))
END
  {shlex.join(words)} --dataset "$DATA" --report_json "$OUT/prefill-$LENGTH.json"
done
"""


@dataclass(frozen=True, slots=True)
class PrefillReport:
    """What trtllm-bench measured for one prompt length.

    Attributes:
        engine: model, version, backend and quantization as the report names them.
        prompt_tokens, requests: of the data set.
        ttft_s: {"mean", "p50", "p90", "p99"}.
        origin: always "recorded": nobody here has watched the run.
    """

    engine: str
    prompt_tokens: float
    requests: int
    ttft_s: dict[str, float]
    origin: str = "recorded"

    @property
    def prefill_tokens_per_s(self) -> float:
        """Prompt tokens by the median time to the first token."""
        return self.prompt_tokens / self.ttft_s["p50"]


def read_prefill_reports(folder: Path | str) -> list[PrefillReport]:
    """The reports that the prefill script left in a folder, by prompt length.

    Raises:
        MissingError: there is none.
        UsageError: one is of another form, was measured without --streaming, or had more than one token out.
    """
    paths = sorted(Path(folder).glob("prefill-*.json"))
    if not paths:
        raise MissingError(
            f"{folder} has no prefill-*.json",
            "the prefill script writes them to TRTLLM_BENCH_OUT, /tmp/trtllm-bench in the container by default",
            "docker cp NAME:/tmp/trtllm-bench .",
        )
    return sorted((_read_report(path) for path in paths), key=lambda report: report.prompt_tokens)


def _read_report(path: Path) -> PrefillReport:
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
        engine, requests = report["engine"], report["request_info"]
        if "streaming_metrics" not in report:
            raise UsageError(f"{path} has no times to first tokens", "it was measured without --streaming")
        if requests["avg_output_length"] != 1:
            raise UsageError(
                f"{path} is no measurement of prefill", f"{requests['avg_output_length']:g} tokens came out, not one"
            )
        percentiles = report["streaming_metrics"]["ttft_percentiles"]
        names = {"mean": "average", "p50": "p50", "p90": "p90", "p99": "p99"}
        words = [engine["model"], engine["version"], engine["backend"], engine["quantization"] or engine["dtype"]]
        return PrefillReport(
            engine=", ".join(map(str, words)),
            prompt_tokens=float(requests["avg_input_length"]),
            requests=int(requests["num_requests"]),
            ttft_s={name: float(percentiles[own]) / 1000 for name, own in names.items()},
        )
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path} is no report of trtllm-bench", f"{type(error).__name__}: {error}") from error
