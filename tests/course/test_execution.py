"""Notebooks that end in every way there is. Run two at a time, once, because each needs a kernel."""

import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import psutil
import pytest

from helpers.course.descendants import MARK
from helpers.course.execution import Ending, Limits, execute, kernel_environment

pytestmark = pytest.mark.timeout(900)
LIMITS = Limits(notebook_s=300, cell_s=5, output_bytes=200_000)
SLEEP = "98766"
NOTEBOOKS = {
    "raises": ["1 / 0", "2"],
    "exits": ["import sys; sys.exit(0)", "2"],
    "exits-last": ["1", "import sys; sys.exit()"],
    "dies": ["import os; os._exit(0)", "2"],
    "swallows": [
        "while True:\n    try:\n        import time; time.sleep(60)\n    except KeyboardInterrupt:\n        pass"
    ],
    "floods": ["while True:\n    print('x' * 1000)"],
    "lacks": ["import helpers\nraise helpers.EngineUnavailable('no vllm here')"],
    "escapes": [
        f"import subprocess\nsubprocess.Popen(['sleep', '{SLEEP}'], start_new_session=True)",
        "import helpers\nhelpers.__file__",
        "",
    ],
}


def write_notebook(path: Path, cells: list[str]) -> Path:
    code = [nbformat.v4.new_code_cell(source, id=f"cell-{index}") for index, source in enumerate(cells)]
    nbformat.write(nbformat.v4.new_notebook(cells=code), path)
    return path


@pytest.fixture(scope="module")
def endings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Ending, Path]]:
    folder = tmp_path_factory.mktemp("executions")

    def run(name: str) -> tuple[Ending, Path]:
        notebook = write_notebook(folder / f"{name}.ipynb", NOTEBOOKS[name])
        output = folder / name / "executed.ipynb"
        return execute(notebook, output, {}, LIMITS), output

    with ThreadPoolExecutor(2) as pool:
        return dict(zip(NOTEBOOKS, pool.map(run, NOTEBOOKS), strict=True))


@pytest.mark.parametrize(
    ("name", "outcome", "reason"),
    [
        ("raises", "error", "cell cell-0: ZeroDivisionError: division by zero"),
        ("exits", "stopped-early", "cell cell-0 ended the notebook"),
        ("exits-last", "stopped-early", "cell cell-1 ended the notebook"),
        ("dies", "kernel-died", "cell cell-0: the kernel ended"),
        ("swallows", "timeout", "cell cell-0: longer than 5 s"),
        ("floods", "output-flood", "cell cell-0: more than 200,000 bytes of output"),
        ("lacks", "engine-unavailable", "cell cell-0: EngineUnavailable: no vllm here"),
        ("escapes", "ok", ""),
    ],
)
def test_the_outcome_is_the_true_one(
    endings: dict[str, tuple[Ending, Path]], name: str, outcome: str, reason: str
) -> None:
    assert (endings[name][0].outcome, endings[name][0].reason) == (outcome, reason)


def test_what_had_run_is_kept(endings: dict[str, tuple[Ending, Path]]) -> None:
    for name, (_, output) in endings.items():
        assert output.exists(), name
        assert output.stat().st_size < 500_000, name


def test_kernels_are_this_environments_and_find_these_helpers(endings: dict[str, tuple[Ending, Path]]) -> None:
    executed = nbformat.read(endings["escapes"][1], as_version=4)
    assert executed.cells[1].outputs[0].data["text/plain"].strip("'").endswith("helpers/__init__.py")


def test_nothing_that_a_notebook_started_survives_it(endings: dict[str, tuple[Ending, Path]]) -> None:
    assert not [process for process in psutil.process_iter(["cmdline"]) if SLEEP in (process.info["cmdline"] or [])]


def test_an_errors_three_lines_stand_in_the_notebook_instead_of_a_traceback(
    endings: dict[str, tuple[Ending, Path]],
) -> None:
    executed = nbformat.read(endings["lacks"][1], as_version=4)
    (error,) = [
        output for cell in executed.cells for output in cell.get("outputs", []) if output.output_type == "error"
    ]
    assert error.traceback == ["EngineUnavailable: no vllm here"]


def test_the_whole_notebook_has_a_wall_clock(tmp_path: Path) -> None:
    notebook = write_notebook(tmp_path / "slow.ipynb", ["import time; time.sleep(600)"])
    ending = execute(notebook, tmp_path / "out" / "slow.ipynb", {}, Limits(notebook_s=6, cell_s=600))
    assert ending.outcome == "timeout"
    assert "the notebook ran longer than 6 s" in ending.reason


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_nothing_survives_a_runner_that_is_killed(tmp_path: Path) -> None:
    write_notebook(tmp_path / "slow.ipynb", ["print('here')", "import time; time.sleep(600)"])
    program = (
        "import sys; from pathlib import Path; from helpers.course.execution import *\n"
        "say = lambda start: print(start.cell, flush=True)\n"
        "execute(Path('slow.ipynb'), Path('out/slow.ipynb'), {}, Limits(600, 600), say)"
    )
    runner = subprocess.Popen(
        [sys.executable, "-c", program], cwd=tmp_path, env=kernel_environment(), stdout=subprocess.PIPE, text=True
    )
    assert runner.stdout is not None
    with runner.stdout:
        while "cell-1" not in runner.stdout.readline():
            assert runner.poll() is None
        below = psutil.Process(runner.pid).children(recursive=True)
        assert len(below) >= 2
        os.kill(runner.pid, signal.SIGKILL)
        runner.wait()
    _, alive = psutil.wait_procs(below, timeout=30)
    assert alive == []


def test_parameters_reach_the_cell_tagged_for_them(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "parameters.ipynb", ["quick = True", "print(quick)"])
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[0].metadata["tags"] = ["parameters"]
    nbformat.write(notebook, path)
    seen = []
    ending = execute(path, tmp_path / "out" / "p.ipynb", {"quick": False}, LIMITS, seen.append)
    assert ending.outcome == "ok"
    assert [(start.index, start.total) for start in seen] == [(1, 3), (2, 3), (3, 3)]
    executed = json.loads((tmp_path / "out" / "p.ipynb").read_text())
    assert "".join(executed["cells"][-1]["outputs"][0]["text"]) == "False\n"
    assert MARK not in os.environ
