"""What all tests share: groups, a cache of their own, and the promise that nothing is left running."""

import os
import signal
from pathlib import Path
from typing import Any

import psutil
import pytest
from xdist.scheduler import LoadScopeScheduling

from helpers.commands.test import GROUPS
from helpers.config import read_settings
from tests.turns import Turns


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--groups", default="", help="run the tests of these groups too; a skip among them fails")


turns: Turns | None = None
"""With the other processes of this run; None where there are none."""


def pytest_configure(config: pytest.Config) -> None:
    global turns
    if hasattr(config, "workerinput"):  # a process of pytest-xdist; each has a folder beside the others'
        turns = Turns(Path(config.option.basetemp).parent)
    # A shell's background job ignores Ctrl-C, and so would every child that these tests interrupt.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def asked_groups(config: pytest.Config) -> set[str]:
    return set(filter(None, config.getoption("--groups").split(",")))


class Together(LoadScopeScheduling):
    """Which tests run in one process: those of a file, and those of one task's notebook."""

    def _split_scope(self, nodeid: str) -> str:
        file, _, test = nodeid.partition("::")
        return test.partition("[")[2] if file.endswith("test_notebooks.py") else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Together:
    return Together(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    asked = asked_groups(config)
    for item in items:
        for group in GROUPS:
            if item.get_closest_marker(group) and group not in asked:
                item.add_marker(pytest.mark.skip(reason=f"group {group}: ./course test --with {group}"))
    # Whole notebooks take minutes: begun last, they would leave the other processes idle. What must run alone is begun
    # last all the same: everybody waits while it waits for a long one.
    items.sort(key=lambda item: (_alone(item), item.get_closest_marker("notebook") is None))


def _alone(item: pytest.Item) -> bool:
    return item.get_closest_marker("alone") is not None


@pytest.hookimpl(wrapper=True, tryfirst=True)  # around the time limit too, which does not count the waiting
def pytest_runtest_protocol(item: pytest.Item):
    if turns is None:
        return (yield)
    with turns.take(_alone(item)):
        return (yield)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):
    outcome = yield
    report = outcome.get_result()
    asked = [group for group in asked_groups(item.config) if item.get_closest_marker(group)]
    if report.skipped and asked and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped although group {asked[0]} was asked for: {report.longrepr}"


@pytest.fixture(autouse=True, scope="session")
def own_environment(tmp_path_factory: pytest.TempPathFactory):
    """Tests neither see nor change the user's settings; exports of the model are shared by all of them."""
    own_environments = read_settings().cache / "environments"
    saved = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("COURSE_")}
    os.environ["COURSE_CACHE"] = saved.get("COURSE_CACHE") or str(tmp_path_factory.mktemp("cache"))
    # Engine environments take minutes to build: the user's are used as they are.
    environments = Path(os.environ["COURSE_CACHE"]) / "environments"
    if own_environments.is_dir() and not environments.exists():
        environments.symlink_to(own_environments)
    os.environ["COURSE_LEASES"] = str(tmp_path_factory.mktemp("leases"))
    yield
    del os.environ["COURSE_CACHE"], os.environ["COURSE_LEASES"]
    os.environ.update(saved)


@pytest.fixture(autouse=True)
def no_gpu(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests mean the same on a Spark as on a laptop; only those of group `gpu` see the machine's own GPU."""
    if request.node.get_closest_marker("gpu") is None:
        monkeypatch.setattr("helpers.hardware.find_gpus", list)


@pytest.fixture(autouse=True, scope="session")
def nothing_left_running(own_environment: None):
    """Every process a test starts must have ended when the last test has."""
    before = {process.pid for process in psutil.Process().children(recursive=True)}
    yield
    left = [process for process in psutil.Process().children(recursive=True) if process.pid not in before]
    _, alive = psutil.wait_procs(left, timeout=5)
    assert not alive, f"left running: {[' '.join(process.cmdline()) for process in alive if process.is_running()]}"
