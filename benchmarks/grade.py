"""What grading costs: beside bare papermill, over many submissions, and with two at a time on two cores.

    python benchmarks/grade.py [--quick]

About forty minutes. Figures go to results/grade.json and README.md; --quick grades a few, prints, and keeps nothing.
Exit code 1 if a goal is missed.

- Stub: unfilled copies of one lab, one after the other. Bare papermill runs the same lab in a process of its own each
  time, in turn with blocks of gradings; both stop at the first check. The memory is that of the grading process.
- Ordinary: complete copies of one lab, two at a time. The bound is the sum of their own kernels' times over two.
"""

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import psutil
from sitting import Bar, at_most, bar_table, circumstances, keep, markdown_table

from helpers.config import ROOT
from helpers.course.execution import kernel_environment
from helpers.grade.grading import grade
from helpers.grade.planning import GradeOptions

STUB, ORDINARY = "04_speculative_decoding", "05_production_api"
STUBS, BLOCKS, ORDINARIES, JOBS = 200, 10, 40, 2
MOST_OVERHEAD_S, MOST_RATIO, MOST_GROWTH = 2.0, 1.3, 1.05
QUICK_STUBS, QUICK_BLOCKS, QUICK_ORDINARIES = 6, 2, 2


def hand_in(folder: Path, view: str, stem: str, first: int, count: int) -> None:
    """Copies of a notebook that differ in a cell of their own, one a learner."""
    notebook = json.loads((ROOT / view / f"{stem}.ipynb").read_text(encoding="utf-8"))
    for number in range(first, first + count):
        note = {"cell_type": "markdown", "id": "note", "metadata": {}, "source": f"Learner {number}"}
        path = folder / f"learner-{number:03d}" / f"{stem}.ipynb"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps({**notebook, "cells": [*notebook["cells"], note]}), encoding="utf-8")


def bare_papermill_s(stem: str, folder: Path) -> float:
    """Seconds of papermill's own command on the unfilled lab."""
    out = folder / "bare.ipynb"
    command = [sys.executable, "-m", "papermill", str(ROOT / "labs" / f"{stem}.ipynb"), str(out), "-k", "python3"]
    command += ["-p", "run_dir", str(folder / "bare")]
    started = time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=kernel_environment(), capture_output=True, check=False)
    if b"ExerciseTodo" not in done.stderr:
        raise RuntimeError(f"papermill ended otherwise than by the first check: {done.stderr[-500:]!r}")
    return time.perf_counter() - started


def grade_stubs(count: int, blocks: int) -> dict[str, Any]:
    """Unfilled labs, a block at a time, each between two runs of bare papermill."""
    graded_s, bare_s, memory = [], [], []
    process = psutil.Process()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for block in range(blocks):
            size = count // blocks
            submissions = folder / f"submissions-{block}"
            hand_in(submissions, "labs", STUB, block * size, size)
            bare_s.append(bare_papermill_s(STUB, folder))
            last_s = time.perf_counter()

            def on_progress(_: object) -> None:
                nonlocal last_s
                now_s = time.perf_counter()
                graded_s.append(now_s - last_s)
                memory.append(process.memory_info().rss)
                last_s = now_s

            graded = grade(submissions, folder / f"out-{block}", GradeOptions(), on_progress)
            if any(result.points for result in graded.results):
                raise RuntimeError("an unfilled lab got points")
            bare_s.append(bare_papermill_s(STUB, folder))
            print(f"stub, block {block + 1}: {graded_s[-1]:.2f} s, bare {bare_s[-1]:.2f} s", file=sys.stderr)
    tenth = max(1, len(memory) // 10)
    return {
        "count": len(graded_s),
        "graded_s": median(graded_s),
        "bare_s": median(bare_s),
        "memory_first": median(memory[:tenth]),
        "memory_last": median(memory[-tenth:]),
    }


def grade_ordinary(count: int) -> dict[str, Any]:
    """Complete labs, two at a time."""
    with tempfile.TemporaryDirectory() as name:
        submissions, out = Path(name) / "submissions", Path(name) / "out"
        hand_in(submissions, "solutions", ORDINARY, 0, count)
        started = time.perf_counter()

        def on_progress(progress: Any) -> None:
            seconds = time.perf_counter() - started
            print(f"ordinary {progress.done}: {progress.outcome}, {seconds:.0f} s so far", file=sys.stderr)

        graded = grade(submissions, out, GradeOptions(jobs=JOBS), on_progress)
        wall_s = time.perf_counter() - started
        kernels = [json.loads(path.read_text())["run_s"] for path in out.glob("units/*/*/unit.json")]
    full = [result.points == result.max_points for result in graded.results]
    return {"count": count, "wall_s": wall_s, "kernels_s": sum(kernels), "full_marks": sum(full)}


def sit(stubs: int, blocks: int, ordinaries: int) -> dict[str, Any]:
    """Measure both."""
    before = circumstances()
    return {
        "circumstances": before,
        "stub": grade_stubs(stubs, blocks),
        "ordinary": grade_ordinary(ordinaries),
        "load_average_after": circumstances()["load_average"],
    }


def find_bars(result: dict[str, Any]) -> list[Bar]:
    """The goals."""
    stub, ordinary = result["stub"], result["ordinary"]
    ratio = ordinary["wall_s"] / (ordinary["kernels_s"] / JOBS)
    return [
        at_most("a stub over bare papermill", [stub["graded_s"] - stub["bare_s"]], MOST_OVERHEAD_S, " s"),
        at_most("memory, last tenth over first", [stub["memory_last"] / stub["memory_first"]], MOST_GROWTH),
        at_most("ordinary: wall clock over kernels / 2", [ratio], MOST_RATIO),
    ]


def render(result: dict[str, Any]) -> str:
    """The tables in Markdown."""
    stub, ordinary, circumstance = result["stub"], result["ordinary"], result["circumstances"]
    memory = " and ".join(f"{stub[name] / 2**20:.0f} MiB" for name in ("memory_first", "memory_last"))
    rows = [
        [f"{stub['count']} unfilled copies of {STUB}, each", f"{stub['graded_s']:.2f} s"],
        ["the same by bare papermill", f"{stub['bare_s']:.2f} s"],
        [
            "memory of the grader, first and last tenth",
            memory,
        ],
        [f"{ordinary['count']} complete copies of {ORDINARY}, {JOBS} at a time", f"{ordinary['wall_s']:.0f} s"],
        ["their own kernels' times together", f"{ordinary['kernels_s']:.0f} s"],
        ["of these with full marks", f"{ordinary['full_marks']}"],
    ]
    return (
        f"Measured {circumstance['date'][:16].replace('T', ' ')} UTC on {circumstance['processor']} "
        f"({circumstance['cores']} cores), Python {circumstance['python']}, commit {circumstance['git_commit']}; load "
        f"average {circumstance['load_average']} before and {result['load_average_after']} after.\n\n"
        f"{markdown_table(('what', 'measured'), rows)}\n{bar_table(find_bars(result))}"
    )


def main() -> int:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a few of each; nothing is kept")
    arguments = parser.parse_args()
    sizes = (QUICK_STUBS, QUICK_BLOCKS, QUICK_ORDINARIES) if arguments.quick else (STUBS, BLOCKS, ORDINARIES)
    result = sit(*sizes)
    print(render(result))
    if not arguments.quick:
        keep("grade", result, render)
    return 0 if all(bar.held for bar in find_bars(result)) else 1


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
