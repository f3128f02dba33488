"""nbval really compares the verdicts: a notebook that runs, but misses its milestone, fails."""

import shutil
from pathlib import Path

from helpers.config import ROOT
from tests.clones import run_nbval


def test_a_missed_milestone_fails(clone: Path) -> None:
    shutil.copy(ROOT / "pyproject.toml", clone)
    notebook = clone / "notebooks" / "01_sample.ipynb"
    notebook.write_text(notebook.read_text().replace("rows = [1, 2, 3]", "rows = []"))
    done = run_nbval(clone, notebook, cell_timeout_s=120)
    assert done.returncode == 1, done.stdout
    assert "12.1.sample: not-reached" in done.stdout
    assert "1 failed" in done.stdout
