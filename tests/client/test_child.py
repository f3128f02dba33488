"""A child process: its URL, its words where it fails, and its end whatever it does."""

import sys
from pathlib import Path
from typing import Self

import psutil
import pytest

from helpers.client.child import Child
from helpers.errors import EngineFailed

LISTEN = 'print(\'{"url": "http://127.0.0.1:9/v1"}\', flush=True)'


class Script(Child):
    title = "the script"
    advice = "read the log"
    stop_limit_s = 0.2

    def __init__(self, code: str, log: Path, first_line: bytes = b"") -> None:
        super().__init__()
        self.code = code
        self.log = log
        self.first_line = first_line

    def start(self) -> Self:
        with self.log.open("wb") as log:
            return self._run([sys.executable, "-c", self.code], log, first_line=self.first_line)

    def last_words(self) -> str:
        return self.log.read_text().strip()


def test_it_knows_its_url_while_it_runs(tmp_path: Path) -> None:
    script = Script(f"import sys; {LISTEN}; sys.stdin.read()", tmp_path / "log")
    assert (script.url, script.pid) == ("", 0)
    with script:
        assert (script.root, script.url) == ("http://127.0.0.1:9", "http://127.0.0.1:9/v1")
        process = psutil.Process(script.pid)
    assert not process.is_running()
    assert script.pid == 0


def test_it_may_be_told_something_first(tmp_path: Path) -> None:
    code = "import sys; print('{\"url\": \"' + sys.stdin.readline().strip() + '\"}', flush=True); sys.stdin.read()"
    with Script(code, tmp_path / "log", b"http://told\n") as script:
        assert script.root == "http://told"


def test_one_that_dies_is_quoted(tmp_path: Path) -> None:
    with pytest.raises(EngineFailed, match="the script did not start") as failed:
        Script("raise SystemExit('no such luck')", tmp_path / "log", b"x" * 100_000).start()
    assert (failed.value.cause, failed.value.next_command) == ("no such luck", "read the log")


def test_one_that_never_listens_is_ended(tmp_path: Path) -> None:
    script = Script("import time; time.sleep(600)", tmp_path / "log")
    script.start_limit_s = 0.2
    with pytest.raises(EngineFailed):
        script.start()
    assert script.pid == 0


def test_one_that_does_not_end_by_itself_is_killed(tmp_path: Path) -> None:
    with Script(f"{LISTEN}; import time; time.sleep(600)", tmp_path / "log") as script:
        process = psutil.Process(script.pid)
    assert not process.is_running()


def test_stopping_twice_or_never_started_is_nothing(tmp_path: Path) -> None:
    script = Script("", tmp_path / "log")
    script.stop()
    with pytest.raises(EngineFailed):
        script.start()
    script.stop()
