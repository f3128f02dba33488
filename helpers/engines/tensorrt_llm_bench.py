"""trtllm-bench for prefill: random prompts of one length, one token out, one request at a time.

With one token out, tokens per second of prefill is the prompt's length divided by the time to the first token.
Flags: trtllm-bench of 1.3.0rc26 (tests/data/flags).
"""

import shlex

from helpers.engines.job import Job

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
mkdir -p /tmp/trtllm-bench
for LENGTH in {" ".join(str(length) for length in lengths)}; do
  DATA=/tmp/trtllm-bench/prompts-$LENGTH.jsonl
  python3 - "$LENGTH" > "$DATA" <<'END'
import json, random, sys
random.seed(1)
for task in range({REQUESTS}):
    ids = [random.randrange(10, {TOKEN_IDS}) for _ in range(int(sys.argv[1]))]
    print(json.dumps({{"task_id": task, "input_ids": ids, "output_tokens": 1}}))
END
  {shlex.join(words)} --dataset "$DATA" --report_json "/tmp/trtllm-bench/prefill-$LENGTH.json"
done
"""
