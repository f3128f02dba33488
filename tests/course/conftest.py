"""A clone of the course in miniature: this tree's helpers, and the sample task instead of the content.

Kernels and children find the course by where `helpers` lies, so a copy of it is the one honest way to give them
other content; model files and everything built are left behind.
"""

import shutil
from pathlib import Path

import pytest

from helpers.config import ROOT
from helpers.course.build import build
from helpers.course.catalogue import Entry, find_task

FIXTURES = Path(__file__).parent / "fixtures"


def copy_clone(folder: Path) -> Path:
    unwanted = shutil.ignore_patterns("__pycache__", "*.safetensors", "*.gguf", "training")
    shutil.copytree(ROOT / "helpers", folder / "helpers", ignore=unwanted)
    shutil.copytree(FIXTURES / "content", folder / "content")
    build(folder)
    return folder


@pytest.fixture(scope="session")
def built_clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built once; tests must not write to it."""
    return copy_clone(tmp_path_factory.mktemp("built") / "course")


@pytest.fixture
def clone(built_clone: Path, tmp_path: Path) -> Path:
    """A copy of one's own to write to."""
    return Path(shutil.copytree(built_clone, tmp_path / "course"))


@pytest.fixture
def sample(built_clone: Path) -> Entry:
    return find_task("1", built_clone)
