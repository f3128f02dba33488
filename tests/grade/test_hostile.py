"""What is handed in to get points, or to do harm: one grading of all of it, side by side with honest work."""

import hashlib
import json
import os
import socket
import stat
import threading
import zipfile
from pathlib import Path
from typing import Any

import psutil
import pytest

from helpers.bench.bundle import save_bundle
from helpers.grade.sandbox import probe
from tests.bench.samples import make_run
from tests.grade.conftest import run_grading
from tests.grade.hostile import ALL, HOSTILE, NOTHING, Hostile

pytestmark = pytest.mark.timeout(600)
TOKEN = "98761"
ITEMS = ("ex1-ttft", "ex2-gaps", "12.1.sample")
CASES = {
    "ex1-ttft": [{"name": "late", "inputs": {"sent_s": 5.0, "chunk_s": [5.75, 6.0]}, "expected": 0.75}],
    "ex2-gaps": [{"name": "two", "inputs": {"chunk_s": [2.0, 2.25, 4.0]}, "expected": [0.25, 1.75]}],
}
FILES = {
    "linked": "tampered",
    "zip-path": "tampered",
    "zip-link": "tampered",
    "zip-bomb": "tampered",
    "zip-broken": "error",
    "binary": "error",
    "zero-bytes": "error",
    "deep": "error",
    "latin": "error",
}
"""Learner -> outcome of what is no notebook at all; none of these gets a point."""

BUNDLES = ("bundle-elsewhere", "bundle-owner", "bundle-copier")


def write_files(folder: Path, clone: Path) -> None:
    name = "01_sample.ipynb"
    good = (clone / "solutions" / name).read_bytes()
    for learner in FILES:
        if not learner.startswith("zip"):
            (folder / learner).mkdir()
    (folder / "linked" / name).symlink_to(folder / "honest" / name)
    (folder / "binary" / name).write_bytes(os.urandom(5000))
    (folder / "zero-bytes" / name).write_bytes(b"")
    (folder / "deep" / name).write_bytes(b'{"cells":' + b"[" * 200_000)
    (folder / "latin" / name).write_bytes('{"cells": [{"cell_type": "code", "source": "é"}]}'.encode("latin-1"))
    with zipfile.ZipFile(folder / "zip-path.zip", "w") as archive:
        archive.writestr(name, good)
        archive.writestr("../../honest/01_sample.ipynb", b"{}")
    with zipfile.ZipFile(folder / "zip-link.zip", "w") as archive:
        link = zipfile.ZipInfo(name)
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    with zipfile.ZipFile(folder / "zip-bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, b"0" * 700_000_000)
    (folder / "zip-broken.zip").write_bytes(b"PK\x03\x04" + os.urandom(500))
    (folder / "zip-broken.zip").rename(folder / "zip-broken__01_sample.zip")
    with zipfile.ZipFile(folder / "zip-honest.zip", "w") as archive:
        archive.writestr(f"my work/{name}", good)


def write_bundles(folder: Path, clone: Path) -> None:
    run = make_run(engine="mock")
    for learner in BUNDLES:
        work = folder / learner / "runs" / "01_sample"
        (work / "evidence").mkdir(parents=True)
        named = "../../honest" if learner == "bundle-elsewhere" else "load"
        content = {"milestone": "12.1.sample", "evidence": {"rows": [1], "bundle": named}, "backend": "elsewhere"}
        (work / "evidence" / "12.1.sample.json").write_text(json.dumps(content))
        save_bundle(work / "load", "run", [run])
        HOSTILE["honest"].write(folder / learner / "01_sample.ipynb", clone)


def tree_digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if "__pycache__" in path.parts:
            continue
        digest.update(str(path.relative_to(folder)).encode())
        if path.is_file() and not path.is_symlink():
            digest.update(path.read_bytes())
    return digest.hexdigest()


@pytest.fixture(scope="module")
def listener():
    """A server in the network that submissions must not reach."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        visitors: list[Any] = []

        def accept() -> None:
            try:
                while True:
                    visitors.append(server.accept()[1])
            except OSError:
                pass  # closed: the tests are over

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield server.getsockname()[1], visitors
        server.shutdown(socket.SHUT_RDWR)
    thread.join()


@pytest.fixture(scope="module")
def graded(grade_clone: Path, tmp_path_factory: pytest.TempPathFactory, listener: tuple[int, list[Any]]):
    tmp = tmp_path_factory.mktemp("hostile")
    folder, private = tmp / "submissions", tmp / "private"
    private.mkdir(mode=0o700)
    (private / "01_sample.json").write_text(json.dumps({"task": "01_sample", "seed": 0, "exercises": CASES}))
    told = {"@TMP@": str(tmp), "@CLONE@": str(grade_clone), "@TOKEN@": TOKEN, "@PORT@": str(listener[0])}
    for learner, hostile in HOSTILE.items():
        path = folder / learner / "01_sample.ipynb"
        hostile.write(path, grade_clone)
        text = path.read_text()
        for name, value in told.items():
            text = text.replace(name, value)
        path.write_text(text)
    write_files(folder, grade_clone)
    write_bundles(folder, grade_clone)
    before = tree_digest(folder), tree_digest(grade_clone)
    out = tmp / "graded"
    units = run_grading(grade_clone, folder, out, "--private", str(private), "--jobs", "3", "--rerun", "0")
    assert (tree_digest(folder), tree_digest(grade_clone)) == before, "a submission changed what is not its own"
    return units, out


def points(unit: dict[str, Any]) -> tuple[float, ...]:
    by_id = {item["id"]: item for item in unit["items"]}
    return tuple(by_id[name]["points"] for name in ITEMS)


@pytest.mark.parametrize("learner", HOSTILE)
def test_each_is_reported_by_its_outcome_and_gets_what_it_earned(graded: Any, learner: str) -> None:
    expected: Hostile = HOSTILE[learner]
    unit = graded[0][learner]
    assert unit["outcome"] in expected.outcomes, unit["reasons"]
    assert points(unit) == expected.points, unit["items"]
    assert expected.reason in " ".join(unit["reasons"]), unit["reasons"]


@pytest.mark.parametrize("learner", FILES)
def test_what_is_no_notebook_gets_nothing(graded: Any, learner: str) -> None:
    unit = graded[0][learner]
    assert (unit["outcome"], points(unit)) == (FILES[learner], NOTHING), unit["reasons"]


def test_honest_work_in_a_zip_file_is_graded(graded: Any) -> None:
    assert (graded[0]["zip-honest"]["outcome"], points(graded[0]["zip-honest"])) == ("ok", ALL)


def test_evidence_that_names_a_bundle_of_somebody_else_is_refused(graded: Any) -> None:
    unit = graded[0]["bundle-elsewhere"]
    assert (unit["outcome"], points(unit)) == ("tampered", (1.0, 1.0, 0.0))


def test_records_that_two_handed_in_give_nobody_points_and_take_none(graded: Any) -> None:
    for learner in ("bundle-owner", "bundle-copier"):
        item = next(item for item in graded[0][learner]["items"] if item["id"] == "12.1.sample")
        assert (item["points"], item["max_points"], item["state"]) == (0.0, 0.0, "not-run")
        assert "the same records as those of" in item["message"]


def test_nobody_reached_the_network(graded: Any, listener: tuple[int, list[Any]]) -> None:
    if not probe().network:
        pytest.skip("this machine gives no network of its own")
    assert listener[1] == []


def test_nothing_that_was_started_survives(graded: Any) -> None:
    left = [process for process in psutil.process_iter(["cmdline"]) if TOKEN in (process.info["cmdline"] or [])]
    assert left == []


def test_nothing_large_is_left(graded: Any) -> None:
    for path in graded[1].rglob("*"):
        assert not path.is_symlink(), path
        assert path.is_dir() or path.stat().st_size < 60_000_000, path


def test_no_private_input_is_told(graded: Any) -> None:
    for unit in graded[0].values():
        told = json.dumps([unit["reasons"], unit["items"]])
        assert "5.75" not in told
        assert "0.75" not in told
