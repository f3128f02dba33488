"""The comparisons' tables are what the kept figures say; nothing is measured here."""

import importlib
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

from helpers.config import ROOT

FOLDER = ROOT / "benchmarks"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    known = set(sys.modules)

    def load(name: str) -> ModuleType:
        return importlib.import_module(name)

    yield load
    for name in set(sys.modules) - known:
        if (FOLDER / f"{name}.py").is_file():
            del sys.modules[name]


@pytest.mark.parametrize("file", sorted((FOLDER / "results").glob("*.json")), ids=lambda file: file.stem)
def test_the_tables_in_the_readme_are_those_of_the_kept_figures(script, file: Path) -> None:
    result = json.loads(file.read_text())
    assert script(file.stem).render(result) in (FOLDER / "README.md").read_text()


def test_a_section_is_replaced_and_the_rest_stays(script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sitting = script("sitting")
    readme = tmp_path / "README.md"
    readme.write_text("above\n<!-- a: begin -->\nold\n<!-- a: end -->\nbelow <!-- b: begin -->x<!-- b: end -->\n")
    monkeypatch.setattr(sitting, "README", readme)
    monkeypatch.setattr(sitting, "FOLDER", tmp_path)
    for text in ("new", "newer"):
        sitting.keep("a", {"figure": 1}, lambda _, text=text: text)
    assert readme.read_text() == (
        "above\n<!-- a: begin -->\n\nnewer\n<!-- a: end -->\nbelow <!-- b: begin -->x<!-- b: end -->\n"
    )
    assert json.loads((tmp_path / "results" / "a.json").read_text()) == {"figure": 1}


def test_bars_and_spreads(script) -> None:
    sitting = script("sitting")
    assert sitting.at_least("x", [1, 3, 2], 2).held
    assert not sitting.at_least("x", [1, 3, 2], 2.5).held
    assert sitting.at_most("x", [1, 3, 2], 2).held
    assert "**no**" in sitting.bar_table([sitting.at_most("x", [3], 2, " ms")])
    assert sitting.spread([3, 1, 2], 1, 1000) == "2,000.0 (1,000.0 to 3,000.0)"
    assert sitting.spread([5.0]) == "5"
    assert sitting.rotated(["a", "b", "c"], 4) == ["b", "c", "a"]


def test_cpu_per_token_leaves_start_up_out(script) -> None:
    generator = script("load_generator")
    figures = {
        load.name: {"course": [{"cpu_s": cpu_s, "tokens": tokens}]}
        for load, cpu_s, tokens in ((generator.START, 10.0, 4_000), (generator.AT_256, 12.0, 104_000))
    }
    assert generator.cpu_per_1000_tokens({"figures": figures}, "course") == [pytest.approx(0.02)]
