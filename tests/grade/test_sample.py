"""The sample class is small, and its functions earn what the recipes say."""

import json
import zipfile
from pathlib import Path

import pytest

from helpers.course.definitions import read_definitions
from helpers.course.judge import Job, ask
from helpers.grade.private import draw_cases
from helpers.grade.sample import notebook_of, read_recipes, sample_files

ENTRY, CLASS = read_recipes()


def test_it_is_small_and_in_every_form_that_is_found() -> None:
    files = sample_files()
    assert len(files) == len(CLASS) >= 12
    assert sum(map(len, files.values())) < 600_000
    assert {recipe.form for recipe in CLASS} == {"folder", "zip", "flat"}
    (archive,) = [path for path in files if path.suffix == ".zip"]
    assert zipfile.ZipFile(archive).namelist() == [f"{ENTRY.stem}.ipynb"]


def test_where_there_are_no_recipes_there_is_no_class(tmp_path: Path) -> None:
    assert sample_files(tmp_path) == {}


def test_functions_earn_with_private_inputs_what_the_recipes_say(tmp_path: Path) -> None:
    cases = draw_cases(ENTRY, seed=11)
    recipes = [recipe for recipe in CLASS if not recipe.raw]
    jobs = []
    for recipe in recipes:
        path = tmp_path / f"{recipe.learner}.ipynb"
        path.write_text(notebook_of(ENTRY, recipe))
        sources = read_definitions(path)
        jobs += [Job(sources, exercise.function, cases[exercise.id]) for exercise in ENTRY.task.exercises]
    outcomes = ask(jobs, 10)
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
