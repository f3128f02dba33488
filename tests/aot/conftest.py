from collections.abc import Callable
from pathlib import Path

import pytest

from helpers.aot.build import BuiltEngine, build_engine
from helpers.aot.profile import ShapeProfile
from tests.models.conftest import make_checkpoint


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp("aot") / "tiny")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty one."""
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="session")
def built(checkpoint: Path) -> Callable[..., BuiltEngine]:
    """Engines of the tiny model, kept for all tests."""

    def build(kind: str = "range", precision: str = "f32") -> BuiltEngine:
        return build_engine(str(checkpoint), precision=precision, profile=ShapeProfile(kind, 4, 48, 256))

    return build
