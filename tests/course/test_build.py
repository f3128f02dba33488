import json
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from helpers.course.build import CHECKED_TAG, VIEWS, build, build_view, differences
from helpers.course.catalogue import Entry, find_task, find_tasks
from helpers.course.masters import MasterError


def cells(entry: Entry, view: str) -> dict[str, dict]:
    return {cell["id"]: cell for cell in json.loads(entry.notebook(view).read_text())["cells"]}


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_a_rebuild_changes_nothing(clone: Path) -> None:
    assert differences(clone) == []
    assert build(clone) == []


def test_every_view_is_a_valid_notebook_with_the_masters_ids(sample: Entry) -> None:
    for view in VIEWS:
        notebook = nbformat.read(sample.notebook(view), as_version=4)
        nbformat.validate(notebook)
        assert notebook.cells[0].id == "intro"
        assert notebook.metadata.kernelspec.name == "python3"


def test_labs_have_stubs_and_no_outputs_and_solutions_have_the_reverse(sample: Entry) -> None:
    lab, solution = cells(sample, "labs"), cells(sample, "solutions")
    assert "raise helpers.ExerciseTodo" in "".join(lab["ex1-ttft"]["source"])
    assert "return chunk_s[0] - sent_s" in "".join(solution["ex1-ttft"]["source"])
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in lab.values())
    assert ("how-to" in lab, "why" in lab) == (True, False)
    assert ("how-to" in solution, "why" in solution) == (False, True)


def test_only_milestone_cells_keep_an_output_and_every_checked_one_has_it(sample: Entry) -> None:
    for view in ("notebooks", "solutions"):
        kept = {name: cell for name, cell in cells(sample, view).items() if cell.get("outputs")}
        assert set(kept) == {"milestone-12-1-sample", "milestone-12-1-gpu"}
        assert all(cell["execution_count"] for cell in kept.values())
        checked = [name for name, cell in kept.items() if CHECKED_TAG in cell["metadata"].get("tags", [])]
        assert checked == ["milestone-12-1-sample"]
        assert kept["milestone-12-1-gpu"]["outputs"][0]["data"]["text/plain"] == [
            "milestone 12.1.gpu: not-run (needs an NVIDIA GPU)"
        ]


def test_each_view_keeps_its_results_apart(sample: Entry) -> None:
    folders = ["".join(cells(sample, view)["parameters"]["source"]).rpartition("= ")[2] for view in VIEWS]
    assert folders == ['"runs/notebooks/01_sample"', '"work/runs/01_sample"', '"runs/solutions/01_sample"']


def test_an_edited_notebook_and_an_orphan_are_named_and_repaired(clone: Path) -> None:
    entry = find_task("1", clone)
    edit(entry.notebook("labs"), "Sample lab", "My lab")
    (clone / "solutions" / "09_old.ipynb").write_text("{}")
    (entry.content / "mistakes.json").unlink()
    lines = differences(clone)
    assert [line.split(":")[0] for line in lines] == [
        "labs/01_sample.ipynb",
        "content/01_sample/mistakes.json",
        "solutions/09_old.ipynb",
    ]
    build(clone)
    assert differences(clone) == []
    assert not (clone / "solutions" / "09_old.ipynb").exists()


def test_the_command_exits_with_1_and_names_what_differs(clone: Path) -> None:
    argv = [sys.executable, "-m", "helpers", "build", "--check"]
    assert subprocess.run(argv, cwd=clone, check=False).returncode == 0
    edit(clone / "content" / "01_sample" / "lab.py", "Sample lab", "Other lab")
    done = subprocess.run(argv, cwd=clone, check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert "labs/01_sample.ipynb: differs" in done.stderr
    assert "./course build" in done.stderr


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("lab.py", 'id="ex2-gaps"', 'id="ex2-other"', "no cell 'ex2-gaps'"),
        ("lab.py", "    ### BEGIN SOLUTION subtract two of the time stamps\n", "", "without its beginning"),
        ("lab.py", 'helpers.milestone("12.1.gpu"', 'helpers.milestone("12.1.cpu"', "no milestone '12.1.cpu'"),
        ("lab.py", 'id="milestone-12-1-gpu"', 'id="gpu"', "needs a cell of its own"),
        ("notebook.py", 'helpers.milestone("12.1.gpu", evidence=None, run_dir=run_dir)', "1", "missing: 12.1.gpu"),
        ("notebook.py", "rows = [1, 2, 3]", "### BEGIN SOLUTION x\nrows = [1, 2, 3]\n### END SOLUTION", "into lab.py"),
    ],
)
def test_a_master_that_breaks_a_rule_is_refused(clone: Path, file: str, old: str, new: str, message: str) -> None:
    entry = find_task("1", clone)
    edit(entry.content / file, old, new)
    with pytest.raises(MasterError, match=message):
        build_view(entry, "notebooks" if file == "notebook.py" else "labs")


def test_tasks_are_found_by_every_name_the_contract_knows(clone: Path) -> None:
    assert {find_task(name, clone).stem for name in ("1", "12.1", "01_sample")} == {"01_sample"}
    assert [entry.name for entry in find_tasks(clone)] == [1]
