"""The simulator beside the truth: published figures left out, this CPU measured, its own speed and its memory.

    python benchmarks/simulate.py [--repeats 3] [--quick]

About a quarter of an hour with vLLM, half of that without. Figures go to results/simulate.json and README.md; --quick
measures two loads of nano once, prints, and keeps nothing. Exit code 1 if a goal is missed.

This CPU: each engine is measured as `./course simulate calibrate` does (1 to 16 streams of two models), and then put
under other loads, of other lengths and numbers of streams, that the simulator predicts from that. The speed is that of
64 running requests whose answers are 64 to 448 tokens long, so that somebody ends or joins every few steps.
"""

import contextlib
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import psutil
from sitting import Bar, at_least, at_most, bar_table, circumstances, describe, markdown_table, run_script, spread

from helpers.bench.arrivals import ClosedLoop
from helpers.bench.metrics import Metrics
from helpers.bench.runner import measure
from helpers.bench.workloads import unique_prompts
from helpers.engines import environments
from helpers.engines.launch import launch
from helpers.simulate.fit import fit
from helpers.simulate.load import simulate_load
from helpers.simulate.session import Session
from helpers.simulate.sinks import Figures
from helpers.simulate.system import make_system
from helpers.simulate.this_cpu import measure_profile
from helpers.simulate.traffic import Users

STREAMS = (1, 2, 4, 8, 16)
MODELS = ("course", "course-heavy")
INPUT_TOKENS, OUTPUT_TOKENS = 96, 48
"""Other lengths than those of the calibration."""

RUNNING = 64
MILLION = 1_000_000
GIGABYTE = 1e9


def sit(repeats: int, share: float) -> Iterator[dict[str, Any]]:
    """Speed and memory once, then this CPU, repeat by repeat."""
    before = circumstances()
    result: dict[str, Any] = {
        "circumstances": before,
        "load_average_after": before["load_average"],
        "repeats": 0,
        "left_out": [
            {"kind": row.kind, "figure": row.name, "published": row.published_per_s, "error": row.left_out_error}
            for row in fit().rows
            if row.left_out_error is not None
        ],
        "tokens_per_s": [speed(int(2000 * share)) for _ in range(3)],
        "memory": memory(int(MILLION * share)),
        "cpu": {},
    }
    print(f"speed {result['tokens_per_s']}, memory {result['memory']}", file=sys.stderr)
    whole = share >= 1
    engines = ["nano", *(["vllm"] if whole and list(environments.installed("vllm")) else [])]
    for engine in engines:
        measure_profile(engine)
    for repeat in range(repeats):
        for engine in engines:
            for model in MODELS if whole else MODELS[:1]:
                cells = result["cpu"].setdefault(engine, {}).setdefault(model, {})
                for streams, figures in measured(engine, model, STREAMS if whole else STREAMS[:2]):
                    cells.setdefault(str(streams), []).append(figures)
                    print(f"{repeat + 1} {engine} {model} {streams} {figures}", file=sys.stderr)
        result["repeats"] = repeat + 1
        result["load_average_after"] = circumstances()["load_average"]
        for engine, models in result["cpu"].items():
            for model, cells in models.items():
                result.setdefault("simulated", {}).setdefault(engine, {})[model] = simulated(engine, model, cells)
        yield result


def measured(engine: str, model: str, streams: tuple[int, ...]) -> Iterator[tuple[int, dict[str, float]]]:
    """Each number of streams on one server."""
    with launch(engine, model=model, precision="f32", max_num_seqs=max(STREAMS)) as server:
        for count in streams:
            run = measure(server, unique_prompts(INPUT_TOKENS, OUTPUT_TOKENS), ClosedLoop(count), requests(count))
            yield count, figures_of(run.metrics)


def simulated(engine: str, model: str, cells: dict[str, Any]) -> dict[str, dict[str, float]]:
    """The same loads on the virtual clock."""
    found = {}
    for streams in cells:
        sweep = simulate_load(
            "cpu",
            model,
            engine=engine,
            concurrency=(int(streams),),
            requests=requests(int(streams)),
            input_tokens=INPUT_TOKENS,
            output_tokens=OUTPUT_TOKENS,
            max_num_seqs=max(STREAMS),
        )
        found[streams] = figures_of(sweep.runs[0].metrics)
    return found


def requests(streams: int) -> int:
    """Of a point."""
    return max(8, 3 * streams)


def figures_of(metrics: Metrics) -> dict[str, float]:
    """What is compared. Means: a closed loop's requests come in waves, and a median falls between two of them."""
    return {
        "tokens_per_s": metrics.output_tokens_per_s or 0.0,
        "ttft_s": metrics.ttft_s.mean if metrics.ttft_s else 0.0,
        "e2e_s": metrics.e2e_s.mean if metrics.e2e_s else 0.0,
    }


def make_session(output_tokens: tuple[int, ...]) -> Session:
    """64 seats on a DGX Spark."""
    return Session(
        input_tokens=(128,),
        output_tokens=output_tokens,
        blocks=RUNNING * 64,
        block_size=16,
        max_num_seqs=RUNNING,
        max_num_batched_tokens=2048,
    )


def speed(count: int) -> float:
    """Simulated output tokens a second of wall time, 64 running."""
    draw = random.Random(0)
    session = make_session(tuple(draw.randint(64, 448) for _ in range(997)))
    stepper = make_system("gb10", "llama-3.1-8b").stepper()
    start_s = time.perf_counter()
    scheduler = session.play(stepper, Users(RUNNING, count), Figures())
    return scheduler.counters.generated_tokens / (time.perf_counter() - start_s)


def memory(count: int) -> dict[str, float]:
    """Resident bytes after a tenth of the requests and after all of them."""
    stepper = make_system("gb10", "llama-3.1-8b").stepper()
    process = psutil.Process()
    found: dict[str, float] = {"requests": count}
    for name, part in (("tenth_bytes", count // 10), ("whole_bytes", count)):
        make_session((8,)).play(stepper, Users(RUNNING, part), Figures())
        found[name] = process.memory_info().rss
    return found


def errors(result: dict[str, Any], name: str) -> list[float]:
    """|simulated / median measured - 1| of every cell."""
    return [
        abs(result["simulated"][engine][model][streams][name] / median(one[name] for one in runs) - 1)
        for engine, models in result["cpu"].items()
        for model, cells in models.items()
        for streams, runs in cells.items()
    ]


def find_bars(result: dict[str, Any]) -> list[Bar]:
    """The goals."""
    left_out = [abs(row["error"]) for row in result["left_out"] if row["kind"] == "decode"]
    sizes = result["memory"]
    return [
        at_most("decode on one Spark, left out: median error", [100 * median(left_out)], 15, " %"),
        at_most("decode on one Spark, left out: largest error", [100 * max(left_out)], 40, " %"),
        at_most("this CPU, output tokens/s: largest error", [100 * max(errors(result, "tokens_per_s"))], 20, " %"),
        at_least("simulated tokens/s of wall time, 64 running", result["tokens_per_s"], 300_000),
        at_most(
            f"memory after {sizes['requests']:,} requests, times that after a tenth",
            [sizes["whole_bytes"] / sizes["tenth_bytes"]],
            1.1,
        ),
    ]


def render(result: dict[str, Any]) -> str:
    """The section of the README."""
    text = describe(result["circumstances"], result["load_average_after"], result["repeats"]) + "\n\n"
    text += bar_table(find_bars(result)) + "\n"
    rows = []
    for engine, models in result["cpu"].items():
        for model, cells in models.items():
            for streams, runs in cells.items():
                told = result["simulated"][engine][model][streams]
                row = [f"{engine}, {model}, {streams} streams"]
                for name, scale, digits in (("tokens_per_s", 1.0, 1), ("ttft_s", 1000.0, 1), ("e2e_s", 1000.0, 1)):
                    values = [run[name] for run in runs]
                    row += [spread(values, digits, scale), f"{told[name] * scale:,.{digits}f}"]
                row.append(f"{told['tokens_per_s'] / median(run['tokens_per_s'] for run in runs) - 1:+.0%}")
                rows.append(row)
    head = ("this CPU", "tokens/s", "simulated", "TTFT ms", "simulated", "request ms", "simulated", "error of tokens/s")
    text += markdown_table(head, rows) + "\n"
    text += f"Speed of the simulator: {spread(result['tokens_per_s'])} output tokens a second; "
    sizes = result["memory"]
    text += f"{sizes['whole_bytes'] / GIGABYTE:.2f} GB resident after {sizes['requests']:,} requests.\n"
    return text


def main() -> int:
    """Run the script."""
    with contextlib.suppress(BrokenPipeError):
        return run_script("simulate", __doc__ or "", sit, render, find_bars)
    return 1


if __name__ == "__main__":
    sys.exit(main())
