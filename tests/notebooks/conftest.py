from pathlib import Path

import pytest

from helpers.course.catalogue import Entry, find_tasks
from helpers.course.run import RunOptions, RunResult, run_tasks
from tests.clones import copy_course

AGAINST_THE_CLOCK = ("05_production_api",)
"""Its milestones hold times, not ratios of times, and no large margin."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every test that asks for `entry` runs for every task there is."""
    if "entry" in metafunc.fixturenames:
        entries = [
            pytest.param(entry, id=entry.stem, marks=[pytest.mark.alone] if entry.stem in AGAINST_THE_CLOCK else [])
            for entry in find_tasks()
        ]
        metafunc.parametrize("entry", entries, scope="session")


@pytest.fixture(scope="session")
def course_copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the course that notebooks may write to."""
    return copy_course(tmp_path_factory.mktemp("copy") / "course")


@pytest.fixture(scope="session")
def quick_run(entry: Entry, tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    """One quick run of the task's notebook by papermill, shared by the tests that look at it."""
    return run_tasks([entry], RunOptions(), tmp_path_factory.mktemp("run"))
