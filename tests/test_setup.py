"""The bootstrap `course`: what it says when something is missing, and that it goes on after an interruption."""

import importlib.machinery
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from helpers.config import ROOT
from helpers.engines import catalog


@pytest.fixture
def bootstrap(tmp_path: Path) -> ModuleType:
    """The bootstrap as a module, its clone being an empty folder."""
    shutil.copy(ROOT / "course", tmp_path / "course")
    (tmp_path / "requirements.lock").write_text("")
    loader = importlib.machinery.SourceFileLoader("course_bootstrap", str(tmp_path / "course"))
    spec = importlib.util.spec_from_loader("course_bootstrap", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.dont_write_bytecode, saved = True, sys.dont_write_bytecode
    loader.exec_module(module)
    sys.dont_write_bytecode = saved
    return module


def run_course(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "course", *arguments],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_help_needs_no_setup(tmp_path: Path) -> None:
    shutil.copy(ROOT / "course", tmp_path)
    shutil.copytree(ROOT / "helpers", tmp_path / "helpers", ignore=shutil.ignore_patterns("course", "__pycache__"))
    done = run_course(tmp_path, "--help")
    assert done.returncode == 0
    assert "./course COMMAND" in done.stdout
    assert not (tmp_path / ".venv").exists()


def test_old_python_without_a_newer_one(bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(bootstrap.SetupError, match=r"cannot run the course.\n.*3\.11 to 3\.14.*\nNext: .*python3-venv"):
        bootstrap.rerun_with_newer_python()


def test_too_old_python_hands_over_to_a_newer_one(bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: sys.executable if name == "python3.13" else None)
    monkeypatch.setattr(bootstrap, "supported_version", lambda python: python == sys.executable)
    started: list[list[str]] = []
    monkeypatch.setattr(bootstrap, "replace_process", lambda argv: started.append(argv) or 0)
    with pytest.raises(SystemExit):
        bootstrap.rerun_with_newer_python()
    assert started[0][0] == sys.executable


def test_no_venv_module(bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ensurepip", None)
    with pytest.raises(bootstrap.SetupError, match="no venv module"):
        bootstrap.check_prerequisites()


def test_no_disk_space(bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**9, 10**9, 10**6))
    with pytest.raises(bootstrap.SetupError, match=r"0\.0 GB free, 1\.5 GB needed"):
        bootstrap.check_prerequisites()


def test_no_network_exits_3_and_can_go_on(tmp_path: Path) -> None:
    shutil.copy(ROOT / "course", tmp_path)
    (tmp_path / "requirements.lock").write_text(f"six==1.17.0 \\\n    --hash=sha256:{'0' * 64}\n")
    done = run_course(
        tmp_path,
        "doctor",
        PIP_INDEX_URL="http://127.0.0.1:9/simple",
        PIP_CONFIG_FILE=os.devnull,
        PIP_FIND_LINKS="",
        PIP_RETRIES="0",
    )
    assert done.returncode == 3, done.stderr
    assert "package index cannot be reached" in done.stderr
    assert "Next: check the network" in done.stderr
    # The interrupted set-up left a .venv without the marker: the next call keeps it and only installs.
    (tmp_path / "requirements.lock").write_text("")
    (tmp_path / "helpers").mkdir()
    (tmp_path / "helpers" / "__init__.py").write_text("")
    (tmp_path / "helpers" / "__main__.py").write_text("import helpers, sys; print(helpers.__file__, sys.argv[1:])")
    made = (tmp_path / ".venv" / "pyvenv.cfg").stat().st_mtime_ns
    done = run_course(tmp_path, "doctor")
    assert done.returncode == 0, done.stderr
    assert str(tmp_path / "helpers") in done.stdout
    assert (tmp_path / ".venv" / "pyvenv.cfg").stat().st_mtime_ns == made
    # And a third call has nothing to set up.
    assert "Making" not in run_course(tmp_path, "doctor").stderr


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("OSError: [Errno 28] No space left on device", "disk is full"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE", "not the one that was locked"),
        ("ERROR: Failed building wheel for x", "could not install"),
    ],
)
def test_pip_errors_are_told_in_three_lines(bootstrap: ModuleType, words: str, expected: str) -> None:
    lines = str(bootstrap.pip_error([words])).splitlines()
    assert expected in lines[0]
    assert lines[1].startswith("Likely cause: ")
    assert lines[2].startswith("Next: ")


def dependencies() -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    optional = project["optional-dependencies"]
    return [*project["dependencies"], *optional["notebooks"], *optional["ui"], *optional["test"]]


def test_environment_yml_equals_pyproject() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    *conda, pip = environment["dependencies"]
    assert conda == ["python>=3.11,<3.15", "pip"]
    assert pip["pip"] == dependencies()


def test_lock_pins_every_dependency_with_hashes_and_no_address() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    assert "://" not in lock
    pinned = set(re.findall(r"^([a-z0-9-]+)==", lock, re.MULTILINE))
    for requirement in dependencies():
        name = re.match(r"[A-Za-z0-9-]+", requirement)
        assert name is not None
        assert name.group().lower() in pinned
    assert lock.count("==") <= lock.count("--hash=sha256:")


def test_extras_carry_the_pins_of_the_catalogue() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for engine in ("vllm", "sglang", "tensorrt-llm"):
        assert extras[engine] == [catalog.choose_release(engine, "native").package]
