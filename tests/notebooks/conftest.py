from pathlib import Path

import pytest

from helpers.course.catalogue import Entry, find_tasks
from helpers.course.run import RunOptions, RunResult, run_tasks
from tests.clones import copy_course


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every test that asks for `entry` runs for every task there is."""
    if "entry" in metafunc.fixturenames:
        metafunc.parametrize("entry", find_tasks(), ids=lambda entry: entry.stem, scope="session")


@pytest.fixture(scope="session")
def course_copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the course that notebooks may write to."""
    return copy_course(tmp_path_factory.mktemp("copy") / "course")


@pytest.fixture(scope="session")
def quick_run(entry: Entry, tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    """One quick run of the task's notebook by papermill, shared by the tests that look at it."""
    return run_tasks([entry], RunOptions(), tmp_path_factory.mktemp("run"))
