"""Pages for teachers: their figures are the recorded ones, their examples are read, their links lead somewhere."""

import json
import re
import tomllib
from pathlib import Path

import pytest

from helpers.cli import COMMANDS
from helpers.config import ROOT
from helpers.grade.rubric import read_rubric
from helpers.grade.sample import FOLDER, read_recipes
from helpers.grade.teaching import build_teaching, figures_page, teaching_differences, teaching_files

PAGES = sorted((ROOT / "docs" / "teaching").glob("*.md"))


def text(name: str) -> str:
    return (ROOT / "docs" / "teaching" / f"{name}.md").read_text()


def test_what_is_built_is_what_is_committed() -> None:
    assert teaching_differences() == []


def test_a_build_writes_what_differs_and_removes_what_has_no_recipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = {tmp_path / path.relative_to(ROOT): content for path, content in teaching_files().items()}
    monkeypatch.setattr("helpers.grade.teaching.teaching_files", lambda root: made)
    assert sorted(build_teaching(tmp_path)) == sorted(made)
    odd = tmp_path / FOLDER / "odd.ipynb"
    odd.write_text("{}")
    first = min(made)
    first.write_text("changed")
    assert len(teaching_differences(tmp_path)) == 2
    assert build_teaching(tmp_path) == [first, odd]
    assert teaching_differences(tmp_path) == []


def test_where_there_is_no_docs_for_teachers_nothing_is_built(tmp_path: Path) -> None:
    assert teaching_files(tmp_path) == {}


def test_the_figures_are_those_of_the_recorded_runs(tmp_path: Path) -> None:
    for path in (ROOT / "recorded").glob("*/summary.json"):
        for point in json.loads(path.read_text())["points"]:
            assert f"| {point['ttft_s']['p50'] * 1000:.0f} |" in text("figures")
    bare = figures_page(tmp_path)
    assert "Not measured in this release." in bare
    assert "nothing is claimed here" in bare


def test_the_rubric_that_is_shown_is_read(tmp_path: Path) -> None:
    (shown,) = re.findall(r"```toml\n(.*?)```", text("extending"), re.DOTALL)
    assert tomllib.loads(shown)
    (tmp_path / "rubric.toml").write_text(shown)
    rubric = read_rubric(tmp_path / "rubric.toml")
    assert (len(rubric.bands), len(rubric.manual), len(rubric.late.extensions)) == (1, 1, 1)


def test_the_sample_class_is_told_learner_by_learner() -> None:
    rows = re.findall(r"^\| (\S+) \| .* \| ([\w-]+) \| .* \| .* \|$", text("sample-class"), re.MULTILINE)
    _, recipes = read_recipes()
    assert [row for row in rows if row[0] not in ("learner", "---")] == [
        (recipe.learner, recipe.outcome) for recipe in recipes
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_and_commands_exist(page: Path) -> None:
    content = page.read_text()
    for target in re.findall(r"\]\(([^)#]+)\)", content):
        assert (page.parent / target).exists(), target
    for command in re.findall(r"\./course (\w+)", content):
        assert command in COMMANDS, command
    for path in re.findall(r"`((?:content|docs|helpers|recorded|benchmarks)/[\w./-]+)`", content):
        assert (ROOT / path.replace("NN_stem", "01_engine_benchmark")).exists(), path
