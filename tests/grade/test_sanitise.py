import json
from pathlib import Path
from typing import Any

import pytest

from helpers.course.catalogue import Entry
from helpers.grade.sanitise import JUDGED_OUTSIDE, Refused, Sanitised, sanitise
from tests.grade.hostile import added, place_of

Json = dict[str, Any]


@pytest.fixture
def notebook(sample: Entry) -> Json:
    loaded: Json = json.loads(sample.notebook("solutions").read_text())
    return loaded


def clean(notebook: Json, entry: Entry, tmp_path: Path) -> Sanitised:
    path = tmp_path / "lab.ipynb"
    path.write_text(json.dumps(notebook))
    return sanitise(path, entry, 1_000_000)


def sources(text: str) -> dict[str, str]:
    return {cell["id"]: "".join(cell["source"]) for cell in json.loads(text)["cells"]}


def test_a_solution_stays_as_it_is_but_for_its_checks(notebook: Json, sample: Entry, tmp_path: Path) -> None:
    found = clean(notebook, sample, tmp_path)
    ran = sources(found.text)
    assert found.notes == ()
    assert ran["check-ex1-ttft"] == JUDGED_OUTSIDE
    assert "return chunk_s[0] - sent_s" in ran["ex1-ttft"]


def test_outputs_counts_tags_and_metadata_are_gone(notebook: Json, sample: Entry, tmp_path: Path) -> None:
    for cell in notebook["cells"]:
        cell["metadata"] = {"tags": ["skip-execution", "parameters"], "papermill": {"status": "completed"}}
        cell["attachments"] = {"x": {}}
    found = json.loads(clean(notebook, sample, tmp_path).text)
    assert [cell["id"] for cell in found["cells"] if cell["metadata"]] == ["parameters"]
    for cell in found["cells"]:
        assert "attachments" not in cell
        assert cell.get("outputs", []) == []
        assert cell.get("execution_count") is None
    assert found["metadata"]["kernelspec"]["name"] == "python3"


def test_a_given_cell_may_be_added_to_but_not_changed(notebook: Json, sample: Entry, tmp_path: Path) -> None:
    cells = {cell["id"]: cell for cell in notebook["cells"]}
    cells["setup"]["source"] = "import math\nimport helpers\n"
    cells["run-dir"]["source"] = "run_dir = '/elsewhere'"
    found = clean(notebook, sample, tmp_path)
    ran = sources(found.text)
    assert ran["setup"] == "import math\nimport helpers\n"
    assert "helpers.run_folder" in ran["run-dir"]
    assert found.notes == ("changed cells of the lab were restored: run-dir",)


def test_a_cell_of_ones_own_stays_where_it_stood(notebook: Json, sample: Entry, tmp_path: Path) -> None:
    notebook["cells"].insert(place_of(notebook, "ex2-gaps"), added("half = 0.5"))
    ids = list(sources(clean(notebook, sample, tmp_path).text))
    number = ids.index("ex2-gaps")
    assert ids[number - 1].startswith("added-")


def test_equal_twins_become_one_and_unequal_ones_are_refused(notebook: Json, sample: Entry, tmp_path: Path) -> None:
    twin = next(cell for cell in notebook["cells"] if cell["id"] == "ex1-ttft")
    notebook["cells"].append(dict(twin))
    assert clean(notebook, sample, tmp_path).notes == ()
    notebook["cells"][-1]["source"] = "def ttft_s(): return 1"
    with pytest.raises(Refused, match="two different cells have the id 'ex1-ttft'"):
        clean(notebook, sample, tmp_path)


def test_cells_without_ids_are_known_by_what_they_define(notebook: Json, sample: Entry, tmp_path: Path) -> None:
    for cell in notebook["cells"]:
        del cell["id"]
    found = clean(notebook, sample, tmp_path)
    assert found.notes == ()
    assert "return chunk_s[0] - sent_s" in sources(found.text)["ex1-ttft"]


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b'{"cells": 3}', b'{"cells": [1]}', b'{"cells": [{"cell_type": "x"}]}', b"\xff\xfe", b"[" * 99_999],
)
def test_what_is_no_notebook_is_refused_and_not_believed(content: bytes, sample: Entry, tmp_path: Path) -> None:
    path = tmp_path / "lab.ipynb"
    path.write_bytes(content)
    with pytest.raises(Refused) as refused:
        sanitise(path, sample, 1_000_000)
    assert refused.value.outcome == "error"


def test_a_large_file_is_not_read(sample: Entry, tmp_path: Path) -> None:
    path = tmp_path / "lab.ipynb"
    path.write_bytes(b" " * 2000)
    with pytest.raises(Refused, match="more than 1,000"):
        sanitise(path, sample, 1_000)


def test_a_cell_that_became_text_is_code_again(notebook: Json, sample: Entry, tmp_path: Path) -> None:
    next(cell for cell in notebook["cells"] if cell["id"] == "milestone-12-1-sample")["cell_type"] = "markdown"
    found = json.loads(clean(notebook, sample, tmp_path).text)
    kinds = {cell["id"]: cell["cell_type"] for cell in found["cells"]}
    assert kinds["milestone-12-1-sample"] == "code"
