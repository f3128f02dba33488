"""The sample class is what its recipes make of the lab today, and its functions earn what the recipes say."""

import json
import zipfile
from pathlib import Path

import pytest

from helpers.config import ROOT
from helpers.course.definitions import read_definitions
from helpers.course.judge import Job, ask
from helpers.grade.private import draw_cases
from helpers.grade.sample import FOLDER, build_sample, notebook_of, read_recipes, sample_differences, sample_files

ENTRY, CLASS = read_recipes()


def test_the_committed_files_are_what_the_recipes_make() -> None:
    assert sample_differences() == []


def test_it_is_small_and_in_every_form_that_is_found() -> None:
    files = sample_files()
    assert len(files) == len(CLASS) >= 12
    assert sum(map(len, files.values())) < 600_000
    assert {recipe.form for recipe in CLASS} == {"folder", "zip", "flat"}
    (archive,) = [path for path in files if path.suffix == ".zip"]
    assert zipfile.ZipFile(archive).namelist() == [f"{ENTRY.stem}.ipynb"]


def test_where_there_are_no_recipes_there_is_no_class(tmp_path: Path) -> None:
    assert sample_files(tmp_path) == {}


def test_a_build_writes_what_differs_and_removes_what_has_no_recipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = {tmp_path / path.relative_to(ROOT): content for path, content in sample_files().items()}
    monkeypatch.setattr("helpers.grade.sample.sample_files", lambda root: made)
    assert sorted(build_sample(tmp_path)) == sorted(made)
    odd = tmp_path / FOLDER / "odd.ipynb"
    odd.write_text("{}")
    first = min(made)
    first.write_text("changed")
    assert len(sample_differences(tmp_path)) == 2
    assert build_sample(tmp_path) == [first, odd]
    assert sample_differences(tmp_path) == []


def test_functions_earn_with_private_inputs_what_the_recipes_say(tmp_path: Path) -> None:
    cases = draw_cases(ENTRY, seed=11)
    recipes = [recipe for recipe in CLASS if not recipe.raw]
    jobs = []
    for recipe in recipes:
        path = tmp_path / f"{recipe.learner}.ipynb"
        path.write_text(notebook_of(ENTRY, recipe))
        sources = read_definitions(path)
        jobs += [Job(sources, exercise.function, cases[exercise.id]) for exercise in ENTRY.task.exercises]
    outcomes = ask(jobs, 30)
    for number, recipe in enumerate(recipes):
        mine = outcomes[number * len(cases) : (number + 1) * len(cases)]
        held = [
            all(
                not outcome.error and _right(case.expected, outcome.value)
                for case, outcome in zip(kept, each, strict=True)
            )
            for kept, each in zip(cases.values(), mine, strict=True)
        ]
        least, most = recipe.points
        assert least <= sum(held) <= most, recipe.learner


def _right(expected: object, value: object) -> bool:
    return json.dumps(value) == json.dumps(expected) or value == pytest.approx(expected, rel=1e-4, abs=1e-6)
