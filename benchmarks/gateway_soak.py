"""Does the gateway's memory stay flat? 100,000 requests and 1,000 streams whose clients leave.

    python benchmarks/gateway_soak.py [--quick]

Some three minutes. Figures go to results/gateway_soak.json and README.md; --quick is a hundredth of it and keeps
nothing. Exit code 1 if memory grew by more than `MOST_GROWTH` after the first tenth, or an abandoned stream went on.
"""

import argparse
import asyncio
import os
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from gateway import FLOOD_64, LOADS, OUTPUT_TOKENS, PLAIN_64, TIMEOUT_S, encode, send_all
from gateway_sides import Side, course
from sitting import circumstances, keep, markdown_table

from helpers.client.load import LoadClient
from helpers.client.loop import run_apart
from helpers.client.mock import MockServer

REQUESTS, ABANDONED, PARTS = 100_000, 1_000, 10
MOST_GROWTH = 1.10
LEAVE_AFTER_S = 0.15
"""Between the first token (50 ms) and the last (370 ms)."""

SETTLED_WITHIN_S = 1.0


def abandon(side: Side, count: int) -> None:
    """Open streams, 64 at a time, and leave each in the middle."""
    load = next(load for load in LOADS if load.stream and load.mock == "paced" and load.streams == 64)

    async def run() -> None:
        client = LoadClient(side.urls["paced"], timeout_s=TIMEOUT_S)
        requests = encode(client, side.api_key, load, count)
        for start in range(0, count, load.streams):
            tasks = [asyncio.create_task(client.send(request)) for request in requests[start : start + load.streams]]
            await asyncio.sleep(LEAVE_AFTER_S)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        await client.close()
        await asyncio.sleep(SETTLED_WITHIN_S)

    run_apart(run)


def sit(share: float) -> dict[str, Any]:
    """Measure the memory after each part."""
    plain, flood = (next(load for load in LOADS if load.name == name) for name in (PLAIN_64, FLOOD_64))
    before = circumstances()
    memory: list[tuple[str, int]] = []
    with (
        MockServer(ttft_s=0.05, gap_s=0.005, output_tokens=OUTPUT_TOKENS, model="paced") as paced,
        MockServer(ttft_s=0, gap_s=0, output_tokens=OUTPUT_TOKENS, model="flood") as fast,
        course({"paced": paced, "flood": fast}) as side,
    ):
        failed = 0
        each = max(64, round(REQUESTS * share / PARTS))
        memory.append(("at start", side.resident_bytes()))
        for part in range(PARTS):
            exchanges = send_all(side, flood if part % 5 == 4 else plain, each)
            failed += sum(exchange.status != 200 or bool(exchange.failure) for exchange in exchanges)
            memory.append((f"{(part + 1) * each:,} requests", side.resident_bytes()))
        paced.reset()
        abandoned = max(64, round(ABANDONED * share))
        abandon(side, abandoned)
        outcomes = [request.outcome for request in paced.truth().requests]
        memory.append((f"{abandoned:,} abandoned streams", side.resident_bytes()))
    return {
        "circumstances": before,
        "load_average_after": round(os.getloadavg()[0], 1),
        "memory": memory,
        "failed": failed,
        "abandoned": len(outcomes),
        "stopped_upstream": outcomes.count("cancelled"),
        "growth": memory[-1][1] / memory[1][1],
    }


def render(result: dict[str, Any]) -> str:
    """The table in Markdown."""
    circumstance = result["circumstances"]
    rows = [[after, f"{resident / 2**20:.1f}"] for after, resident in result["memory"]]
    return (
        f"Measured {circumstance['date'][:16].replace('T', ' ')} UTC on {circumstance['processor']} "
        f"({circumstance['cores']} cores), load average {circumstance['load_average']} before. "
        f"{result['failed']} requests failed; of {result['abandoned']:,} streams whose clients left, "
        f"{result['stopped_upstream']:,} had stopped at the upstream {SETTLED_WITHIN_S:g} s later. Memory at the end "
        f"is {result['growth']:.2f} times that after the first tenth (goal: at most {MOST_GROWTH:g}).\n\n"
        f"{markdown_table(('after', 'memory, MiB'), rows)}"
    )


def main() -> int:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a hundredth of it; nothing is kept")
    arguments = parser.parse_args()
    result = sit(0.01 if arguments.quick else 1.0)
    print(render(result))
    if not arguments.quick:
        keep("gateway_soak", result, render)
    held = (
        result["growth"] <= MOST_GROWTH and result["stopped_upstream"] == result["abandoned"] and not result["failed"]
    )
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
