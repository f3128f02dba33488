"""The sample class: submissions from good to hostile, made from a lab, so that they never go stale.

`content/sample_class/recipes.py` says what each learner of it did (`TASK`, `CLASS`); the files lie in
docs/teaching/sample-class, made by `./course build` and compared by a test.
"""

import importlib.util
import io
import json
import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from helpers.config import ROOT
from helpers.course.build import notebook_text
from helpers.course.catalogue import Entry, find_task

FOLDER = "docs/teaching/sample-class"
RECIPES = "content/sample_class/recipes.py"
ZIP_DATE = (2026, 11, 1, 12, 0, 0)

Form = Literal["folder", "zip", "flat"]


@dataclass(frozen=True, slots=True)
class Recipe:
    """What one learner of the sample class handed in, and what grading it must find.

    Attributes:
        learner: their name.
        story: one sentence for the instructor.
        solved: ids of exercises taken from the solution; None takes every cell of it, `planted` and `cells` excepted.
        planted: exercise id -> name of the planted wrong answer that is in its place.
        cells: cell id -> source, in place of the lab's.
        renamed: old -> new, whole words, in `cells`.
        left_out: ids of cells that are missing.
        raw: the file's content, in place of a notebook.
        form: how it was handed in.
        outcome: of the grading; empty where this machine decides.
        points: of exercises that must be earned with private inputs: (least, most).
    """

    learner: str
    story: str
    solved: tuple[str, ...] | None = ()
    planted: Mapping[str, str] = field(default_factory=dict)
    cells: Mapping[str, str] = field(default_factory=dict)
    renamed: Mapping[str, str] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    raw: str = ""
    form: Form = "folder"
    outcome: str = ""
    points: tuple[float, float] = (0.0, 0.0)


def read_recipes(root: Path = ROOT) -> tuple[Entry, Sequence[Recipe]]:
    """The task of the sample class and what its learners did."""
    path = root / RECIPES
    spec = importlib.util.spec_from_file_location("course_sample_class", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return find_task(module.TASK, root), module.CLASS


def sample_files(root: Path = ROOT) -> dict[Path, bytes]:
    """Every file of the sample class with its content; none where there are no recipes."""
    if not (root / RECIPES).exists():
        return {}
    entry, recipes = read_recipes(root)
    return dict(_file(entry, recipe) for recipe in recipes)


def notebook_of(entry: Entry, recipe: Recipe) -> str:
    """The notebook that a learner handed in, as text."""
    cells = _cells(entry, "labs")
    solutions = {cell["id"]: cell for cell in _cells(entry, "solutions")}
    if recipe.solved is None:
        cells = list(solutions.values())
    sources = {one: "".join(solutions[one]["source"]) for one in recipe.solved or ()}
    for exercise, mistake in recipe.planted.items():
        text = (entry.content / "wrong" / f"{exercise}--{mistake}.py").read_text(encoding="utf-8")
        sources[exercise] = text.split('"""', 2)[2].strip()
    for cell_id, source in recipe.cells.items():
        for old, new in recipe.renamed.items():
            source = re.sub(rf"\b{re.escape(old)}\b", new, source)
        sources[cell_id] = source.strip("\n")
    known = {cell["id"] for cell in cells}
    made = [_with_source(cell, sources) for cell in cells if cell["id"] not in recipe.left_out]
    made += [_new_cell(cell_id, source) for cell_id, source in sources.items() if cell_id not in known]
    return notebook_text(
        [{**cell, "outputs": [], "execution_count": None} if "outputs" in cell else cell for cell in made]
    )


def _file(entry: Entry, recipe: Recipe) -> tuple[Path, bytes]:
    folder = entry.root / FOLDER
    text = (recipe.raw or notebook_of(entry, recipe)).encode()
    name = f"{entry.stem}.ipynb"
    if recipe.form == "zip":
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
            archive.writestr(zipfile.ZipInfo(name, ZIP_DATE), text)
        return folder / f"{recipe.learner}.zip", buffer.getvalue()
    if recipe.form == "flat":
        return folder / f"{recipe.learner}__{name}", text
    return folder / recipe.learner / name, text


def _cells(entry: Entry, view: str) -> list[dict[str, Any]]:
    cells: list[dict[str, Any]] = json.loads(entry.notebook(view).read_text(encoding="utf-8"))["cells"]
    return cells


def _with_source(cell: dict[str, Any], sources: Mapping[str, str]) -> dict[str, Any]:
    if cell["id"] not in sources:
        return cell
    return {**cell, "source": sources[cell["id"]].splitlines(keepends=True)}


def _new_cell(cell_id: str, source: str) -> dict[str, Any]:
    lines = source.splitlines(keepends=True)
    return {
        "cell_type": "code",
        "execution_count": None,
        "id": cell_id,
        "metadata": {},
        "outputs": [],
        "source": lines,
    }
