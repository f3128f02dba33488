import json
import os
import sys
import zipfile
from pathlib import Path

import pytest

from helpers.course.catalogue import Entry
from helpers.errors import UsageError
from helpers.grade.archives import ArchiveRefused, unpack
from helpers.grade.results import safe_name
from helpers.grade.submissions import Found, discover

STEM = "01_sample"
NAME = f"{STEM}.ipynb"


def put(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text('{"cells": []}', encoding="utf-8")


def found_in(folder: Path, entry: Entry) -> Found:
    return discover(folder, [entry], folder.parent / "unpacked")


def learners(found: Found) -> list[str]:
    return [one.learner for one in found.submissions]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "submissions"
    made.mkdir()
    return made


def test_folders_flat_files_and_zip_files_stand_side_by_side(folder: Path, sample: Entry) -> None:
    put(folder, f"alice/{NAME}", f"bob/week 1/{NAME}", f"carol__{NAME}", f"{STEM}-dave.ipynb", f"Eve (2) {NAME}")
    with zipfile.ZipFile(folder / "frank.zip", "w") as archive:
        archive.writestr(NAME, "{}")
    found = found_in(folder, sample)
    assert learners(found) == ["Eve (2", "alice", "bob", "carol", "dave", "frank"]
    assert {one.task for one in found.submissions} == {STEM}


def test_an_nbgrader_exchange_is_read(folder: Path, sample: Entry) -> None:
    put(folder, f"submitted/alice/{STEM}/lab.ipynb", f"submitted/bob/{STEM}/lab.ipynb", f"source/{NAME}")
    found = found_in(folder, sample)
    assert learners(found) == ["alice", "bob"]
    assert [(folder / one.source).exists() for one in found.submissions] == [True, True]


def test_a_folder_per_task_is_read(folder: Path, sample: Entry) -> None:
    put(folder, f"{STEM}/alice/lab.ipynb", f"{STEM}/bob.ipynb")
    found = found_in(folder, sample)
    assert learners(found) == ["alice", "bob"]


def test_a_task_is_known_by_the_cells_where_the_name_says_nothing(folder: Path, sample: Entry) -> None:
    (folder / "alice").mkdir()
    (folder / "alice" / "final.ipynb").write_text(json.dumps({"cells": [{"id": "ex1-ttft"}, {"id": "mine"}]}))
    assert [one.task for one in found_in(folder, sample).submissions] == [STEM]


def test_the_first_of_several_copies_counts_and_the_others_are_named(folder: Path, sample: Entry) -> None:
    put(folder, f"alice/old/{NAME}", f"alice/{NAME}")
    found = found_in(folder, sample)
    assert [one.source for one in found.submissions] == [f"alice/{NAME}"]
    assert found.ignored == ((f"alice/old/{NAME}", f"alice/{NAME} counts for {STEM}"),)


def test_a_file_in_ones_own_folder_is_ones_own_whatever_its_name(folder: Path, sample: Entry) -> None:
    put(folder, f"alice/{NAME}", f"bob/alice__{NAME}")
    assert [(one.learner, one.source) for one in found_in(folder, sample).submissions] == [
        ("alice", f"alice/{NAME}"),
        ("bob", f"bob/alice__{NAME}"),
    ]


def test_a_run_folder_is_a_bundle_and_goes_with_the_notebook(folder: Path, sample: Entry) -> None:
    put(folder, f"alice/{NAME}", "alice/runs/mine/evidence/12.1.sample.json", "bob/evidence/12.1.sample.json")
    alice, bob = found_in(folder, sample).submissions
    assert (alice.kind, alice.notebook is not None, alice.bundle) == ("bundle", True, folder / "alice/runs/mine")
    assert (bob.kind, bob.notebook) == ("bundle", None)


def test_links_are_not_followed(folder: Path, sample: Entry) -> None:
    put(folder, f"alice/{NAME}")
    (folder / "bob").mkdir()
    (folder / "bob" / NAME).symlink_to(folder / "alice" / NAME)
    (folder / "carol").symlink_to(folder / "alice")
    os.mkfifo(folder / "bob" / f"x{NAME}")
    found = found_in(folder, sample)
    assert [(one.learner, one.problem and one.problem[0]) for one in found.submissions] == [
        ("alice", None),
        ("bob", "tampered"),
    ]
    assert "carol" in dict(found.ignored)


@pytest.mark.skipif(sys.platform != "linux", reason="other file systems refuse such names")
def test_names_that_are_no_text_harm_nobody(folder: Path, sample: Entry) -> None:
    put(folder, f"alice/{NAME}", os.fsdecode(b"M\xfcller/") + NAME)
    found = found_in(folder, sample)
    assert learners(found) == ["M\\xfcller", "alice"]
    assert found.submissions[0].notebook == folder / os.fsdecode(b"M\xfcller") / NAME


def test_a_folder_without_anything_to_grade_is_an_error(folder: Path, sample: Entry) -> None:
    put(folder, "alice/essay.txt")
    with pytest.raises(UsageError, match="can be graded"):
        found_in(folder, sample)


def test_names_in_two_unicode_forms_are_one_learner(folder: Path, sample: Entry) -> None:
    put(folder, f"Zoe\u0308/{NAME}")
    assert learners(found_in(folder, sample)) == ["Zo\u00eb"]


@pytest.mark.parametrize("name", ["../x", "a/b", "..", "", "a\x00b", "x" * 400, " dot. "])
def test_a_name_cannot_leave_its_folder(name: str, tmp_path: Path) -> None:
    assert (tmp_path / safe_name(name)).parent == tmp_path
    assert len(safe_name(name).encode()) < 200


def test_different_names_have_different_folders() -> None:
    names = ["a:b", "a?b", "a_b", "a\u0000b"]
    assert len({safe_name(name) for name in names}) == len(names)


def test_an_archive_that_lies_about_sizes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "lies.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(NAME, b"0" * 1_000_000)
    content = path.read_bytes()
    path.write_bytes(content.replace((1_000_000).to_bytes(4, "little"), (10).to_bytes(4, "little")))
    with pytest.raises(ArchiveRefused):
        unpack(path, tmp_path / "out")
    assert list((tmp_path / "out").glob("*")) == []


def test_a_damaged_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "damaged.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(NAME, b"0" * 1000)
    content = bytearray(path.read_bytes())
    content[30 + len(NAME)] = 0xFF  # a kind of block that deflate does not have
    path.write_bytes(content)
    with pytest.raises(ArchiveRefused, match="cannot be read"):
        unpack(path, tmp_path / "out")
