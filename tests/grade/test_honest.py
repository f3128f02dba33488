"""Honest work in the forms in which it comes back: none is refused, none is suspected, none loses an answer."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from helpers.bench.bundle import load_bundle
from helpers.config import ROOT
from helpers.course.catalogue import Entry, find_tasks
from helpers.course.definitions import read_definitions
from helpers.grade.sanitise import sanitise
from helpers.grade.tampering import replacements
from helpers.grade.witness import bundle_problem
from tests.grade.hostile import added

Json = dict[str, Any]


def untouched(notebook: Json) -> None:
    pass


def with_outputs(notebook: Json) -> None:
    stream = {"name": "stdout", "output_type": "stream", "text": ["x" * 1000 + "\n"] * 300}
    for number, cell in enumerate(notebook["cells"]):
        if cell["cell_type"] == "code":
            cell |= {"outputs": [stream], "execution_count": number + 7}


def with_own_cells(notebook: Json) -> None:
    own = "import math\nTABLE = [1, 2, 3]\n\ndef helper(x):\n    return math.sqrt(x)\n\nprint(helper(2))"
    for number in range(0, len(notebook["cells"]) * 2, 6):
        notebook["cells"].insert(number, added(own, f"own-{number}"))


def with_notes(notebook: Json) -> None:
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            cell["source"] = ["My answer: 42, and here is why. ✅\n"]


def from_an_older_jupyter(notebook: Json) -> None:
    notebook["nbformat_minor"] = 2
    for cell in notebook["cells"]:
        del cell["id"]


def from_another_editor(notebook: Json) -> None:
    notebook["metadata"] = {"kernelspec": {"name": "my-env", "display_name": "Py"}, "vscode": {"a": 1}}
    for cell in notebook["cells"]:
        cell["source"] = "".join(cell["source"]).replace("\n", "\r\n").replace("\r\n", "\n")
        cell["metadata"] = {"collapsed": True, "scrolled": False, "tags": ["mine"], "pycharm": {"name": "#%%\n"}}


def with_a_cell_twice(notebook: Json) -> None:
    notebook["cells"].append(json.loads(json.dumps(notebook["cells"][-1])))


def with_magics(notebook: Json) -> None:
    notebook["cells"].insert(2, added("%matplotlib inline\n!ls\nimport numpy as np", "magic"))


def with_other_parameters(notebook: Json) -> None:
    for cell in notebook["cells"]:
        if cell["id"] == "parameters":
            cell["source"] = "".join(cell["source"]).replace('engine = "auto"', 'engine = "nano"')


def without_text(notebook: Json) -> None:
    notebook["cells"] = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


Variant = Callable[[Json], None]
VARIANTS: tuple[Variant, ...] = (
    untouched,
    with_outputs,
    with_own_cells,
    with_notes,
    from_an_older_jupyter,
    from_another_editor,
    with_a_cell_twice,
    with_magics,
    with_other_parameters,
    without_text,
)
LABS = [entry for entry in find_tasks() if entry.task.exercises]


def answers(path: Path, entry: Entry) -> dict[str, str]:
    """The source of each exercise's cell."""
    wanted = {exercise.id for exercise in entry.task.exercises}
    return {source.name: source.code for source in read_definitions(path) if source.name in wanted}


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.__name__)
@pytest.mark.parametrize("entry", LABS, ids=lambda entry: entry.stem)
def test_no_honest_notebook_is_refused_or_changed(
    entry: Entry, variant: Callable[[Json], None], tmp_path: Path
) -> None:
    notebook = json.loads(entry.notebook("solutions").read_text())
    variant(notebook)
    path, clean = tmp_path / "lab.ipynb", tmp_path / "clean.ipynb"
    path.write_text(json.dumps(notebook))
    found = sanitise(path, entry, 50_000_000)
    clean.write_text(found.text)
    assert replacements(found.theirs) == []
    assert [note for note in found.notes if "restored" in note] == []
    assert answers(clean, entry) == answers(entry.notebook("solutions"), entry)


@pytest.mark.parametrize("folder", sorted(path.parent for path in (ROOT / "recorded").glob("*/records.jsonl")))
def test_no_bundle_of_a_real_run_is_refused(folder: Path) -> None:
    assert bundle_problem(folder, load_bundle(folder)) == ""
