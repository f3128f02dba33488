"""The side of transformers.generate: static batches in a process of its own, run by the Python that has the package.

    python nano_transformers.py DIRECTORY THREADS

Reads one JSON object a line, {"batch": N, "requests": [[ids, output_tokens], ...]}, and answers {"seconds": S} to each.
Batches are padded on the left to the longest prompt and run until the longest answer is complete, as static batching
does; the end token ends nothing, so that the lengths are the same on all sides.
"""

import json
import sys
import time

import torch
from transformers import AutoModelForCausalLM


def main() -> None:
    """Serve until standard input ends."""
    torch.set_num_threads(int(sys.argv[2]))
    model = AutoModelForCausalLM.from_pretrained(sys.argv[1], dtype=torch.float32).eval()
    model.generation_config.eos_token_id = None
    print(json.dumps({"seconds": 0.0}), flush=True)
    for line in sys.stdin:
        job = json.loads(line)
        started_s = time.perf_counter()
        for start in range(0, len(job["requests"]), job["batch"]):
            run_batch(model, job["requests"][start : start + job["batch"]])
        print(json.dumps({"seconds": time.perf_counter() - started_s}), flush=True)


def run_batch(model: torch.nn.Module, requests: list[tuple[list[int], int]]) -> None:
    """One batch to its end."""
    longest = max(len(ids) for ids, _ in requests)
    tokens = torch.tensor([[0] * (longest - len(ids)) + ids for ids, _ in requests])
    mask = torch.tensor([[0] * (longest - len(ids)) + [1] * len(ids) for ids, _ in requests])
    length = max(output_tokens for _, output_tokens in requests)
    with torch.inference_mode():
        answers = model.generate(  # type: ignore[operator]
            tokens, attention_mask=mask, max_new_tokens=length, do_sample=False, pad_token_id=0
        )
    assert answers.shape[1] == longest + length


if __name__ == "__main__":
    main()
