from dataclasses import replace
from pathlib import Path

import pytest

from helpers.grade import cluster
from helpers.grade.planning import GradeOptions, unit_request
from helpers.grade.request import UnitRequest
from helpers.grade.submissions import Submission
from tests.grade.builders import STEM


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    folder = tmp_path / "submissions" / "alice"
    (folder / "load").mkdir(parents=True)
    (folder / "load" / "summary.json").write_text("{}")
    return folder


def asked(tmp_path: Path, bundle: Path, percent: int = 0) -> UnitRequest:
    submission = Submission("alice", STEM, None, bundle, "alice")
    return unit_request(submission, tmp_path / "submissions", tmp_path / "out", GradeOptions(rerun_percent=percent))


def test_a_larger_sample_takes_units_that_are_done(tmp_path: Path, bundle: Path) -> None:
    none, all_of_them = asked(tmp_path, bundle), asked(tmp_path, bundle, 100)
    assert (none.rerun, all_of_them.rerun) == (False, True)
    assert none.digest != all_of_them.digest == asked(tmp_path, bundle, 100).digest


def test_a_renamed_folder_is_another_bundle(tmp_path: Path, bundle: Path) -> None:
    before = asked(tmp_path, bundle).digest
    (bundle / "load").rename(bundle / "other")
    assert asked(tmp_path, bundle).digest != before


def test_of_a_bundle_that_is_too_large_a_cluster_gets_a_byte_more_than_is_allowed(tmp_path: Path, bundle: Path) -> None:
    request = asked(tmp_path, bundle)
    for name in ("a", "b", "c"):
        (bundle / "load" / name).write_bytes(bytes(100))
    request = replace(request, limits=replace(request.limits, disk_bytes=150))
    assert {name: len(content) for name, content in cluster.handed_in(request).items()} == {
        "bundle/load/a": 100,
        "bundle/load/b": 51,
    }


def test_what_must_not_be_opened_is_not_sent_to_a_cluster(tmp_path: Path) -> None:
    submission = Submission("eve", STEM, Path(), None, "eve", ("tampered", "it is a link"))
    request = unit_request(submission, tmp_path / "submissions", tmp_path / "out", GradeOptions())
    assert cluster.handed_in(request) == {}
