"""A learner's server in a process of its own: it starts, answers, ends, and says why where it does not."""

import contextlib
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI

from helpers.config import ROOT
from helpers.course.app_process import AppProcess
from helpers.errors import EngineFailed, UsageError


def create(word: str) -> FastAPI:
    app = FastAPI()

    @app.get("/v1/word")
    async def say() -> str:
        return word

    @app.get("/v1/sleep")
    async def sleep() -> None:
        time.sleep(600)  # what no handler may do

    return app


def create_nothing() -> FastAPI:
    raise RuntimeError("no such luck")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[AppProcess]:
    with AppProcess(create, tmp_path / "server.py", word="hello") as running:
        yield running


def get(url: str, timeout_s: float = 20.0) -> bytes:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=timeout_s) as answer:
        body: bytes = answer.read()
        return body


def test_it_serves_what_the_factory_made_with_its_arguments(server: AppProcess) -> None:
    assert get(f"{server.url}/word") == b'"hello"'
    assert "def create(word: str)" in server.file.read_text()


def test_it_is_gone_after_its_block(tmp_path: Path) -> None:
    with AppProcess(create, tmp_path / "server.py", word="") as server:
        url = server.url
    with pytest.raises(OSError, match="refused"):
        get(f"{url}/word")


def test_a_blocked_event_loop_does_not_keep_it(tmp_path: Path) -> None:
    with AppProcess(create, tmp_path / "server.py", word="") as server, contextlib.suppress(OSError):
        get(f"{server.url}/sleep", timeout_s=0.5)
    with pytest.raises(OSError, match="refused"):
        get(f"{server.url}/word")


def test_a_factory_that_fails_says_so(tmp_path: Path) -> None:
    with pytest.raises(EngineFailed, match="did not start") as failed:
        AppProcess(create_nothing, tmp_path / "server.py").start()
    assert "no such luck" in failed.value.cause


def test_arguments_must_be_json(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="JSON"):
        AppProcess(create, tmp_path / "server.py", word=object())


PARENT = """
import sys
from pathlib import Path
from helpers.course.app_process import AppProcess
from tests.course.test_app_process import create
server = AppProcess(create, Path(sys.argv[1]), word="").start()
print(server.url, flush=True)
sys.stdin.read()
"""


def test_it_does_not_outlive_its_parent(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", PARENT, str(tmp_path / "server.py")]
    with subprocess.Popen(argv, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        url = parent.stdout.readline().strip()
        assert get(f"{url}/word")
        parent.kill()
    deadline_s = time.monotonic() + 10
    while time.monotonic() < deadline_s:
        try:
            get(f"{url}/word", timeout_s=1)
        except OSError:
            return
        time.sleep(0.05)
    pytest.fail("the server outlives its parent")
