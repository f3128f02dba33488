"""Notebooks that try to get points, or to do harm. Each is the sample lab's solution with something done to it.

An expectation is the outcome, and the points of ex1-ttft, ex2-gaps and 12.1.sample (one point each).
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Cells = dict[str, dict[str, Any]]
NOTHING, EXERCISES, ALL = (0.0, 0.0, 0.0), (1.0, 1.0, 0.0), (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class Hostile:
    """What is done to the notebook, and how it must end.

    `code` goes into a cell of its own before ex2-gaps; `cells` replace the sources of cells by id; `base` is solutions
    or labs; `change` does anything else to the notebook's JSON. `reason` must stand in one of the reasons.
    """

    outcomes: tuple[str, ...]
    points: tuple[float, float, float]
    code: str = ""
    cells: dict[str, str] = field(default_factory=dict)
    base: str = "solutions"
    change: Callable[[dict[str, Any]], None] | None = None
    reason: str = ""

    def write(self, path: Path, clone: Path) -> None:
        """Write the notebook."""
        notebook = json.loads((clone / self.base / "01_sample.ipynb").read_text())
        for cell in notebook["cells"]:
            if cell["id"] in self.cells:
                cell["source"] = self.cells[cell["id"]]
        if self.code:
            notebook["cells"].insert(place_of(notebook, "ex2-gaps"), added(self.code))
        if self.change:
            self.change(notebook)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(notebook), encoding="utf-8")


def place_of(notebook: dict[str, Any], cell_id: str) -> int:
    return [cell["id"] for cell in notebook["cells"]].index(cell_id)


def added(code: str, cell_id: str = "mine") -> dict[str, Any]:
    return {
        "cell_type": "code",
        "id": cell_id,
        "metadata": {},
        "source": code,
        "outputs": [],
        "execution_count": None,
    }


def delete_cells(notebook: dict[str, Any]) -> None:
    gone = ("setup", "ex1-ttft", "milestone-12-1-sample")
    notebook["cells"] = [cell for cell in notebook["cells"] if cell["id"] not in gone]


def duplicate_exercise(notebook: dict[str, Any]) -> None:
    notebook["cells"].append(added("def ttft_s(sent_s, chunk_s):\n    return 0.25", "ex1-ttft"))


def reorder(notebook: dict[str, Any]) -> None:
    notebook["cells"].reverse()


def remove_ids(notebook: dict[str, Any]) -> None:
    notebook["nbformat_minor"] = 4
    for cell in notebook["cells"]:
        del cell["id"]


def skip_and_pretend(notebook: dict[str, Any]) -> None:
    """Stored outputs that tell of success, and tags under which papermill runs nothing."""
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell["metadata"] = {"tags": ["skip-execution"]}
            text = "milestone 12.1.sample: reached"
            output = {"data": {"text/plain": text}, "metadata": {}, "output_type": "execute_result"}
            cell |= {"execution_count": 1, "outputs": [output | {"execution_count": 1}]}


def tag_raising(notebook: dict[str, Any]) -> None:
    for cell in notebook["cells"]:
        cell["metadata"] = {"tags": ["raises-exception"]}


def ask_for_another_kernel(notebook: dict[str, Any]) -> None:
    notebook["metadata"]["kernelspec"] = {"name": "conda-env-mine-py", "display_name": "mine", "language": "R"}


def hand_in_no_cell(notebook: dict[str, Any]) -> None:
    notebook["cells"] = []


GOOD_EX1 = "def ttft_s(sent_s, chunk_s):\n    return chunk_s[0] - sent_s"
EQUAL_TO_ALL = """
class Same(float):
    def __eq__(self, other):
        return True
    __hash__ = None

def ttft_s(sent_s, chunk_s):
    return Same(0.0)
"""
READ_SOLUTION = """
def ttft_s(sent_s, chunk_s):
    import json, pathlib, helpers
    root = pathlib.Path(helpers.__file__).parent.parent
    for path in [root / "solutions" / "01_sample.ipynb", root / "content" / "01_sample" / "lab.py"]:
        text = path.read_text()
    scope = {}
    exec("def ttft_s(sent_s, chunk_s):\\n    return chunk_s[0] - sent_s", scope)
    return scope["ttft_s"](sent_s, chunk_s)
"""
READ_PRIVATE = """
def ttft_s(sent_s, chunk_s):
    import json, os
    for parent, _, names in os.walk("@TMP@"):
        for name in names:
            if name == "01_sample.json":
                for case in json.load(open(os.path.join(parent, name)))["exercises"]["ex1-ttft"]:
                    if case["inputs"] == {"sent_s": sent_s, "chunk_s": chunk_s}:
                        return case["expected"]
    return None
"""
FITTED = """
def ttft_s(sent_s, chunk_s):
    return {0.0: 0.25, 2.0: 0.25}.get(sent_s, 9.9)
"""
FORGE_ANSWERS = """
def ttft_s(sent_s, chunk_s):
    import os
    line = b'{"case": "private 1", "value": 0.5, "error": "", "message": ""}\\n'
    for number in range(3, 12):
        for text in (line, b"[" * 100000 + b"\\n", b"junk\\n"):
            try:
                os.write(number, text)
            except OSError:
                pass
    return None
"""
EVIDENCE = '{"milestone": "12.1.sample", "evidence": {"rows": [9]}, "backend": "", "provenance": {}}'
FORGE_EVIDENCE = f"""
import json, pathlib
folder = pathlib.Path(run_dir) / "evidence"
folder.mkdir(parents=True, exist_ok=True)
(folder / "12.1.sample.json").write_text('''{EVIDENCE}''')
"""
ESCAPE = """
import os, subprocess, sys
for _ in range(3):
    subprocess.Popen(["sleep", "@TOKEN@"], start_new_session=True, env={})
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execve("/bin/sleep", ["sleep", "@TOKEN@"], {})
    os._exit(0)
"""
REACH_OUT = """
import socket
try:
    socket.create_connection(("127.0.0.1", @PORT@), timeout=2)
except OSError:
    pass
else:
    raise RuntimeError("the grader's network is open")
"""
SPOIL = """
import os, shutil
for parent in ("@TMP@", "@CLONE@/labs", "@CLONE@/helpers/grade", "/root"):
    for folder, _, names in os.walk(parent):
        for name in names:
            if "run" not in folder and "home" not in folder:
                try:
                    open(os.path.join(folder, name), "w").write("spoilt")
                except OSError:
                    pass
shutil.rmtree("@TMP@", ignore_errors=True)
"""
SHADOW = """
import json
folder = run_dir / "helpers" / "grade"
folder.mkdir(parents=True)
(folder.parent / "__init__.py").touch()
(folder / "__init__.py").touch()
words = {"state": "reached", "reason": "", "backend": "", "problem": "", "fingerprints": [], "seeds": [], "remarks": []}
told = [{"id": name, **words} for name in ("12.1.sample", "12.1.gpu")]
(folder / "verdict_child.py").write_text(f"print({json.dumps(told)!r})")
"""
PLANT_LINKS = """
def ttft_s(sent_s, chunk_s):
    import os
    for name in ("kernel.json", ".cache"):
        path = os.path.join(os.environ["HOME"], name)
        if not os.path.lexists(path):
            os.symlink("@TMP@/planted", path)
    return chunk_s[0] - sent_s
"""
NESTED_FOLDERS = """
import os, time
os.chdir(run_dir)
for _ in range(1500):
    os.mkdir("d")
    os.chdir("d")
time.sleep(60)
"""
HEAVY_EXERCISE = """
def ttft_s(sent_s, chunk_s):
    import subprocess, sys, time
    eat = 'kept = b"x" * 600_000_000; import time; time.sleep(600)'
    kept = [subprocess.Popen([sys.executable, "-I", "-S", "-c", eat]) for _ in range(3)]
    time.sleep(5)
    return chunk_s[0] - sent_s
"""

HOSTILE = {
    "endless-loop": Hostile(("timeout",), EXERCISES, "while True:\n    pass", reason="longer than"),
    "swallowed-interrupts": Hostile(
        ("timeout",),
        EXERCISES,
        "import time\nwhile True:\n    try:\n        time.sleep(9)\n    except BaseException:\n        pass",
    ),
    "endless-exercise": Hostile(
        ("ok", "error"),
        (0.0, 1.0, 1.0),
        cells={"ex1-ttft": "def ttft_s(sent_s, chunk_s):\n    while True:\n        pass"},
    ),
    "sys-exit": Hostile(("stopped-early",), EXERCISES, "import sys\nsys.exit(0)"),
    "os-exit": Hostile(("kernel-died",), EXERCISES, "import os\nos._exit(0)"),
    "exit-in-exercise": Hostile(
        ("ok",), (0.0, 1.0, 1.0), cells={"ex1-ttft": "import os\ndef ttft_s(sent_s, chunk_s):\n    os._exit(0)"}
    ),
    "process-bomb": Hostile(
        ("error",), EXERCISES, "import subprocess\nkept = [subprocess.Popen(['sleep', '600']) for _ in range(100000)]"
    ),
    "fork-bomb": Hostile(("error", "timeout", "kernel-died"), EXERCISES, "import os\nwhile True:\n    os.fork()"),
    "output-stream": Hostile(("output-flood",), EXERCISES, "for _ in range(100_000):\n    print('x' * 1000)"),
    "output-at-once": Hostile(("output-flood",), EXERCISES, "'x' * 30_000_000"),
    "memory-bomb": Hostile(
        ("error", "kernel-died"), EXERCISES, "kept = []\nwhile True:\n    kept.append(bytearray(50_000_000))"
    ),
    "many-memory-bombs": Hostile(
        ("error",),
        EXERCISES,
        "import subprocess, sys, time\n"
        "eat = 'kept = bytearray(b\"x\" * 300_000_000); import time; time.sleep(600)'\n"
        "kept = [subprocess.Popen([sys.executable, '-I', '-S', '-c', eat]) for _ in range(6)]\ntime.sleep(600)",
        reason="bytes of memory",
    ),
    "large-file": Hostile(
        ("error",), EXERCISES, "open(run_dir / 'large', 'wb').write(b'x' * 60_000_000)", reason="File too large"
    ),
    "file-bomb": Hostile(
        ("error",),
        EXERCISES,
        "import time\nfor number in range(100_000):\n    (run_dir / str(number)).write_bytes(b'x')\ntime.sleep(60)",
        reason="files",
    ),
    "nested-folders": Hostile(("error",), EXERCISES, NESTED_FOLDERS, reason="folders in each other"),
    "heavy-exercise": Hostile(
        ("ok",), (0.0, 1.0, 1.0), cells={"ex1-ttft": HEAVY_EXERCISE}, reason="cell exercises: more than"
    ),
    "deleted-cells": Hostile(
        ("ok", "error"), (0.0, 1.0, 1.0), change=delete_cells, reason="missing cells of the lab were put in again"
    ),
    "duplicated-cells": Hostile(("tampered",), NOTHING, change=duplicate_exercise, reason="have the id 'ex1-ttft'"),
    "reordered-cells": Hostile(("ok",), ALL, change=reorder, reason="the lab's order was restored"),
    "no-ids": Hostile(("ok",), ALL, change=remove_ids),
    "overwritten-check": Hostile(
        ("tampered",),
        NOTHING,
        base="labs",
        cells={"setup": "import helpers\nhelpers.check = lambda name, function: 'holds'"},
        reason="replaces helpers.check",
    ),
    "overwritten-milestone": Hostile(
        ("tampered",),
        EXERCISES,
        "import json\nimport helpers as h\noriginal = h.milestone\n"
        "setattr(h, 'milestone', lambda name, evidence, **more: original(name, {'rows': [7]}, **more))",
        reason="replaces a part of h",
    ),
    "monkeypatched-judge": Hostile(
        ("tampered",),
        (0.0, 1.0, 0.0),
        "import helpers.course.exercises as judge\njudge.complaint = lambda *a: ''",
        cells={"ex1-ttft": "def ttft_s(sent_s, chunk_s):\n    return 0"},
        reason="imports helpers.course.exercises",
    ),
    "changed-milestone-cell": Hostile(
        ("ok",),
        ALL,
        cells={"milestone-12-1-sample": "helpers.milestone('12.1.sample', evidence={'rows': [99]}, run_dir=run_dir)"},
        reason="changed cells of the lab were restored: milestone-12-1-sample",
    ),
    "equal-to-everything": Hostile(("ok",), (0.0, 1.0, 1.0), cells={"ex1-ttft": EQUAL_TO_ALL}),
    # The lines it adds push its own later answers out of their places.
    "forged-answers": Hostile(("ok",), (0.0, 0.0, 1.0), cells={"ex1-ttft": FORGE_ANSWERS}),
    "forged-evidence": Hostile(
        ("tampered",),
        (1.0, 0.0, 0.0),
        FORGE_EVIDENCE,
        cells={"ex2-gaps": "def gaps_s(chunk_s):\n    raise ValueError('none')"},
        reason="the cell that writes it did not run",
    ),
    "forged-outputs": Hostile(("error",), NOTHING, base="labs", change=skip_and_pretend, reason="ExerciseTodo"),
    "shadows-the-judge": Hostile(
        ("ok",), (1.0, 0.0, 0.0), SHADOW, cells={"ex2-gaps": "def gaps_s(chunk_s):\n    return []"}
    ),
    "plants-links": Hostile(("ok",), ALL, cells={"ex1-ttft": PLANT_LINKS}),
    "raises-tags": Hostile(("error",), EXERCISES, "1 / 0", change=tag_raising, reason="ZeroDivisionError"),
    "reads-solution": Hostile(("ok",), (0.0, 1.0, 1.0), cells={"ex1-ttft": READ_SOLUTION}),
    "reads-private": Hostile(("ok",), (0.0, 1.0, 1.0), cells={"ex1-ttft": READ_PRIVATE}),
    "fitted-to-visible": Hostile(("ok",), (0.0, 1.0, 1.0), cells={"ex1-ttft": FITTED}),
    "reaches-out": Hostile(("ok",), ALL, REACH_OUT),
    "escapes": Hostile(("ok",), ALL, ESCAPE),
    "kills-parent": Hostile(
        ("error", "kernel-died"), EXERCISES, "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)\n1 / 0"
    ),
    "kills-all": Hostile(
        ("error", "kernel-died"), EXERCISES, "import os, signal\nos.kill(-1, signal.SIGKILL)\nos.kill(os.getpid(), 9)"
    ),
    "spoils-files": Hostile(("ok",), ALL, SPOIL),
    "claims-no-engine": Hostile(
        ("engine-unavailable",), EXERCISES, "raise helpers.EngineUnavailable('there is no engine')"
    ),
    "other-kernel": Hostile(("ok",), ALL, change=ask_for_another_kernel),
    "empty-notebook": Hostile(("error",), NOTHING, change=hand_in_no_cell, reason="ExerciseTodo"),
    "unfilled": Hostile(("error",), NOTHING, base="labs"),
    "honest": Hostile(("ok",), ALL),
    "Zoë Nuñez 学习者 🎓": Hostile(("ok",), ALL),
}
"""Learner -> what they handed in as a notebook."""
