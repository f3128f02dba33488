"""The hand-out holds what a learner needs and nothing that would spoil it; what is searched for would be found."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from helpers import cli
from helpers.course.catalogue import find_tasks
from helpers.errors import CheckFailed, UsageError
from helpers.grade import release
from helpers.grade.private import draw_cases
from helpers.grade.release import find_leaks, write_release

ENTRIES = find_tasks()


@pytest.fixture(scope="module")
def handout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("release") / "handout"
    write_release(folder)
    return folder


def test_no_solution_private_input_or_planted_answer_is_in_it(handout: Path) -> None:
    assert find_leaks(handout, ENTRIES) == []
    names = {path.name for path in handout.rglob("*") if path.relative_to(handout).parts[0] != "helpers"}
    assert not names & {"solutions", "wrong", "private.py", "lab.py", "sample-class", "sample_class", "tests"}
    private = {json.dumps(dict(case.inputs)) for cases in draw_cases(ENTRIES[0], 0).values() for case in cases}
    for path in (handout / "content").rglob("*"):
        assert not path.is_file() or not [case for case in private if case in path.read_text()], path


def test_a_learner_finds_everything_that_is_needed(handout: Path) -> None:
    for entry in ENTRIES:
        for name in (f"labs/{entry.stem}.ipynb", f"notebooks/{entry.stem}.ipynb", f"content/{entry.stem}/task.py"):
            assert (handout / name).is_file(), name
    assert os.access(handout / "course", os.X_OK)
    assert (handout / "helpers/models/course").is_dir()


def run_there(handout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(handout)}
    argv = [sys.executable, "-m", "helpers", *arguments]
    return subprocess.run(argv, cwd=handout, env=environment, capture_output=True, text=True, check=False)


def test_its_commands_work_or_say_that_this_is_a_handout(handout: Path) -> None:
    status = run_there(handout, "status")
    assert status.returncode == 0, status.stderr
    assert "lab not opened" in status.stdout
    for arguments in (["build", "--check"], ["test"], ["release", "--out", "again"], ["release", "--private", "p"]):
        done = run_there(handout, *arguments)
        assert done.returncode == 3, arguments
        assert "hand-out" in done.stderr, arguments


def test_each_kind_of_leak_is_found(tmp_path: Path) -> None:
    entry = ENTRIES[0]
    solution = json.loads(entry.notebook("solutions").read_text())
    cell = next(cell for cell in solution["cells"] if cell["id"] == entry.task.exercises[4].id)
    wrong = sorted((entry.content / "wrong").glob("*.py"))[0]
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "x.ipynb").write_text(json.dumps({"cells": [cell]}))
    (tmp_path / "helpers").mkdir()
    (tmp_path / "helpers" / "x.py").write_text("".join(cell["source"]))
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "x.md").write_text(wrong.read_text())
    (tmp_path / "content").mkdir()
    (tmp_path / "content" / "private.py").write_text("")
    found = find_leaks(tmp_path, [entry])
    assert [line.split(" ")[0] for line in found] == [
        "content/private.py",
        "docs/x.md",
        "helpers/x.py",
        "notebooks/x.ipynb",
    ]
    assert f"the planted answer {wrong.stem}" in found[1]


def test_a_handout_with_a_leak_is_removed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(release, "OF_A_TASK", (*release.OF_A_TASK, "lab.py"))
    with pytest.raises(CheckFailed, match=r"lab\.py is for teachers"):
        write_release(tmp_path / "handout")
    assert not (tmp_path / "handout").exists()


def test_a_folder_that_holds_something_or_is_handed_out_itself_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="holds something"):
        write_release(tmp_path)
    with pytest.raises(UsageError, match="is handed out"):
        write_release(release.ROOT / "docs" / "handout")
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_the_command_needs_to_know_what_is_wanted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli.main(["release"]) == 2
    monkeypatch.setattr("helpers.course.catalogue.find_tasks", lambda: ENTRIES[:1])
    assert cli.main(["release", "--private", str(tmp_path / "private"), "--seed", "5"]) == 0
    assert json.loads((tmp_path / "private" / f"{ENTRIES[0].stem}.json").read_text())["seed"] == 5
    assert "Keep them from learners" in capsys.readouterr().out
