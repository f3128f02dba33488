"""nbval really compares the verdicts: it passes the notebooks as built, and fails when a milestone is missed."""

import shutil
from pathlib import Path

import pytest

from helpers.config import ROOT
from tests.clones import run_nbval


@pytest.mark.parametrize(("rows", "passes"), [("[1, 2, 3]", True), ("[]", False)])
def test_a_missed_milestone_fails(clone: Path, rows: str, passes: bool) -> None:
    shutil.copy(ROOT / "pyproject.toml", clone)
    notebook = clone / "notebooks" / "01_sample.ipynb"
    notebook.write_text(notebook.read_text().replace("rows = [1, 2, 3]", f"rows = {rows}"))
    done = run_nbval(clone, notebook, cell_timeout_s=60)
    assert (done.returncode == 0) is passes, done.stdout
    if not passes:
        assert "12.1.sample: not-reached" in done.stdout
