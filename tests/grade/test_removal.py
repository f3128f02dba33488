import os
from pathlib import Path

from helpers.grade.guard import DEEPEST, disk_problem
from helpers.grade.limits import UnitLimits
from helpers.grade.removal import remove_tree


def test_folders_in_each_other_without_end_are_seen_and_removed(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    here = os.open(folder, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=here)
        inner = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)
    assert disk_problem((folder,), UnitLimits()) == f"more than {DEEPEST} folders in each other"
    remove_tree(folder)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_forbids_it_is_removed(tmp_path: Path) -> None:
    inner = tmp_path / "run" / "closed"
    inner.mkdir(parents=True)
    (inner / "file").touch()
    inner.chmod(0)
    remove_tree(tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def test_folders_count_as_files(tmp_path: Path) -> None:
    for number in range(4):
        (tmp_path / str(number)).mkdir()
    assert disk_problem((tmp_path,), UnitLimits(files=3)) == "more than 3 files"
