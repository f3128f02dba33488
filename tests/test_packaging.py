"""Source distribution and wheel: built from each other, installed outside the clone, and used there."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

from helpers.config import course_folder
from helpers.errors import UsageError
from tests.test_setup import ROOT

PACKED = ("content", "notebooks", "labs", "solutions", "recorded", "deploy")
LEFT = ".git", ".venv*", "work", "runs", "site", "build", "dist", "*.egg-info", ".*_cache", ".hypothesis", "__pycache__"
BUILD = "import sys; from setuptools import build_meta; print(getattr(build_meta, sys.argv[1])(sys.argv[2]))"
ASK = """
import helpers
with helpers.launch("nano") as server:
    print(server.chat("What is a KV cache?", max_tokens=8))
"""


def python(program: str | Path, *arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        [str(program), *arguments],
        cwd=cwd,
        env={**variables, **environment},
        capture_output=True,
        text=True,
        timeout=280,
    )


@pytest.fixture(scope="module")
def builder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the setuptools that pyproject.toml asks for."""
    folder = tmp_path_factory.mktemp("builder")
    done = python(sys.executable, "-m", "pip", "install", "-q", "--target", str(folder), "setuptools>=80", cwd=folder)
    if done.returncode != 0:
        pytest.skip("needs the package index, for setuptools")
    return folder


@pytest.fixture(scope="module")
def sdist(builder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sdist")
    shutil.copytree(ROOT, folder / "clone", ignore=shutil.ignore_patterns(*LEFT))
    built = python(
        sys.executable, "-c", BUILD, "build_sdist", str(folder), cwd=folder / "clone", PYTHONPATH=str(builder)
    )
    assert built.returncode == 0, built.stderr[-2000:]
    return next(folder.glob("*.tar.gz"))


@pytest.fixture(scope="module")
def wheel(builder: Path, sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from the source distribution, so that this must hold everything."""
    folder = tmp_path_factory.mktemp("wheel")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    source = next(folder.glob("spark_inference_course-*"))
    built = python(sys.executable, "-c", BUILD, "build_wheel", str(folder), cwd=source, PYTHONPATH=str(builder))
    assert built.returncode == 0, built.stderr[-2000:]
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel; its dependencies are this one's."""
    folder = tmp_path_factory.mktemp("installed") / "environment"
    assert python(sys.executable, "-m", "venv", "--without-pip", str(folder), cwd=folder.parent).returncode == 0
    own = next((folder / "lib").glob("python3*")) / "site-packages"
    (own / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    pip = ("-m", "pip", "--python", str(folder / "bin" / "python"), "install", "-q", "--no-deps", "--no-index")
    done = python(sys.executable, *pip, str(wheel), cwd=folder.parent)
    assert done.returncode == 0, done.stderr
    return folder


def tracked(top: str) -> list[str]:
    done = subprocess.run(["git", "-C", str(ROOT), "ls-files", top], capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip("needs the clone's git")
    return [name for name in done.stdout.splitlines() if (ROOT / name).exists()]


def test_the_wheel_holds_the_package_and_the_course(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert not [name for name in tracked("helpers") if name not in names]
    for top in PACKED:
        assert not [name for name in tracked(top) if f"helpers/packed/{name}" not in names]
    assert not [name for name in names if "__pycache__" in name or name.startswith("tests/")]


def test_the_source_distribution_holds_what_a_clone_has(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    for top in ("helpers", "tests", "docs", "deploy", "course", "requirements.lock", ".ci", ".github"):
        assert not [name for name in tracked(top) if name not in names], top


def test_an_installed_course_works_outside_the_clone(installed: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    variables = {"COURSE_HOME": str(home)}
    said = python(installed / "bin" / "course", "doctor", "--json", cwd=tmp_path, **variables)
    assert said.returncode == 0, said.stderr
    assert json.loads(said.stdout)["problems"] == []
    assert (home / "labs" / "01_engine_benchmark.ipynb").is_file()
    status = python(home / "course", "status", cwd=tmp_path, **variables)
    assert status.returncode == 0, status.stderr
    assert "lab not opened" in status.stdout
    answer = python(installed / "bin" / "python", "-c", ASK, cwd=tmp_path, **variables)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.strip()


def test_a_clone_is_its_own_folder() -> None:
    assert course_folder() == ROOT


@pytest.fixture
def packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "site-packages" / "helpers" / "packed"
    (folder / "labs").mkdir(parents=True)
    (folder / "labs" / "a.ipynb").write_text("new")
    monkeypatch.setattr("helpers.config.version", lambda name: "2.0")
    return folder


def test_a_newer_wheel_replaces_the_course_and_keeps_what_is_the_learners(packed: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert course_folder(packed, {"COURSE_HOME": str(home)}) == home
    (home / "labs" / "a.ipynb").write_text("changed")
    (home / "work").mkdir()
    (home / "work" / "a.ipynb").write_text("mine")
    assert course_folder(packed, {"COURSE_HOME": str(home)}) == home
    assert (home / "labs" / "a.ipynb").read_text() == "changed"
    (home / ".course-version").write_text("1.0")
    course_folder(packed, {"COURSE_HOME": str(home)})
    assert (home / "labs" / "a.ipynb").read_text() == "new"
    assert (home / "work" / "a.ipynb").read_text() == "mine"


def test_a_folder_that_holds_something_else_is_left_alone(packed: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("x")
    with pytest.raises(UsageError, match="holds something else"):
        course_folder(packed, {"COURSE_HOME": str(tmp_path / "mine")})
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.tex"]


def test_the_changelog_has_the_version(wheel: Path) -> None:
    version = wheel.name.split("-")[1]
    assert f"\n## {version}\n" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_workflow_runs_what_ci_runs() -> None:
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    assert "run: .ci/run" in workflow
    assert "./course" not in workflow
