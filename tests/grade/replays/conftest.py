from pathlib import Path

import pytest


@pytest.fixture
def left(tmp_path: Path) -> Path:
    """The run folder; beside it, and never below it, is what jails write."""
    folder = tmp_path / "unit" / "run"
    folder.mkdir(parents=True)
    return folder
