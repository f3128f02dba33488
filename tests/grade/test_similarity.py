"""Likeness: a copy with other names is found, honest work and the solution itself are not."""

import json
from pathlib import Path

from helpers.config import ROOT
from helpers.grade.similarity import find_similar, normal_form, read_cells
from tests.grade.builders import ENTRY, STEM, write_notebook

ODD = '''def ttft_s(request):
    """Mine."""
    # the first one with any text in it
    stamps = []
    for position, event in enumerate(request["events"]):
        texts = [event["delta"].get(key) or "" for key in ("content", "reasoning_content")]
        if sum(len(text) for text in texts) > 0 and position >= 0:
            stamps.append(event["at_s"])
    stamps.sort()
    return None if len(stamps) == 0 else stamps[0] - request["sent_s"]
'''
RENAMED = (
    ODD.replace("stamps", "found")
    .replace("position", "i")
    .replace("texts", "words")
    .replace("text)", "w)")
    .replace("for text in", "for w in")
    .replace("Mine.", "My own work.")
    .replace("the first one with any text in it", "looks for words")
)
OTHER = """def ttft_s(request):
    sent = request["sent_s"]
    def speaks(event):
        return bool(event["delta"].get("content")) or bool(event["delta"].get("reasoning_content"))
    at = next((event["at_s"] for event in filter(speaks, request["events"])), None)
    while at is not None:
        return at - sent
"""


def test_a_copy_with_other_names_is_found_with_the_cell(tmp_path: Path) -> None:
    answers = {"ada": ODD, "ben": OTHER, "chen": RENAMED, "dana": OTHER.replace("speaks", "has_words")[:200]}
    notebooks = {name: write_notebook(tmp_path, name, {"ex1-ttft": code}) for name, code in answers.items()}
    (pair,) = [pair for pair in find_similar(ENTRY, notebooks) if "ada" in (pair.one, pair.other)]
    assert (pair.one, pair.other, pair.task) == ("ada", "chen", STEM)
    assert pair.share > 0.95
    assert pair.cells[0][0] == "ex1-ttft"
    assert not [line for line in pair.same_lines if "texts" in line]


def test_the_lab_and_the_solution_make_nobody_alike(tmp_path: Path) -> None:
    solution = json.loads((ROOT / "solutions" / f"{STEM}.ipynb").read_text())
    answers = {cell["id"]: "".join(cell["source"]) for cell in solution["cells"]}
    notebooks = {name: write_notebook(tmp_path, name, answers) for name in ("ada", "ben")}
    notebooks |= {name: write_notebook(tmp_path, name, {}) for name in ("chen", "dana")}
    assert find_similar(ENTRY, notebooks) == []


def test_names_comments_docstrings_and_annotations_do_not_count() -> None:
    assert normal_form("def f(a: int) -> int:\n    'doc'\n    b: int = a  # same\n    return max(b, 1)") == normal_form(
        "def g(x):\n    y = x\n    return max(y, 1)"
    )
    assert normal_form("x = max(a, b)") != normal_form("x = min(a, b)")
    assert normal_form("not python (") == "not python ("


def test_what_cannot_be_read_has_no_cells(tmp_path: Path) -> None:
    for name, text in (("a", "{"), ("b", "[]"), ("c", '{"cells": [1]}'), ("d", '{"cells": [{"cell_type": "code"}]}')):
        (tmp_path / name).write_text(text)
        assert read_cells(tmp_path / name) == {}
    assert read_cells(tmp_path / "none") == {}
