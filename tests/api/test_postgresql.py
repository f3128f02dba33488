"""The same keys and usage in PostgreSQL, where its server's programs and psycopg are installed."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from helpers.api.calls import Call
from helpers.api.database import Database
from helpers.errors import MissingError, UsageError

PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))


@pytest.fixture
def url() -> Iterator[str]:
    pytest.importorskip("psycopg", reason="needs psycopg")
    if not PROGRAMS:
        pytest.skip("needs PostgreSQL's server programs")
    programs = PROGRAMS[-1].parent
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    user = "nobody" if os.getuid() == 0 else None  # the server refuses to run as root
    with TemporaryDirectory(prefix="course-postgresql-", dir="/tmp") as folder:
        os.chmod(folder, 0o777)
        data = f"{folder}/data"
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "user": user, "cwd": folder}
        subprocess.run(
            [programs / "initdb", "-D", data, "-A", "trust", "-U", "gateway", "--no-sync"], check=True, **quiet
        )  # type: ignore[call-overload]
        argv = [programs / "postgres", "-D", data, "-p", str(port), "-k", folder, "-c", "listen_addresses=127.0.0.1"]
        server = subprocess.Popen(argv, **quiet)  # type: ignore[call-overload]
        try:
            yield wait_for(f"postgresql+psycopg://gateway@127.0.0.1:{port}/postgres")
        finally:
            server.terminate()
            server.wait(20)


def wait_for(url: str) -> str:
    deadline_s = time.monotonic() + 20
    while True:
        try:
            Database(url).close()
            return url
        except MissingError:
            assert time.monotonic() < deadline_s, "PostgreSQL did not start"
            time.sleep(0.1)


def test_keys_and_usage_in_postgresql(url: str) -> None:
    database = Database(url)
    text = database.add_key("alice", requests_per_minute=5)
    [key] = database.valid_keys()
    assert (key.id, key.requests_per_minute) == (text[3:11], 5)
    with pytest.raises(UsageError, match="already"):
        database.add_key("alice")
    calls = [Call(str(number), "chat", key_id=key.id, prompt_tokens=2, output_tokens=3) for number in range(10)]
    database.write_usage([*calls, Call("old", "chat", at=1.0)])
    database.prune_usage()
    assert [row["request_id"] for row in database.usage()] == [str(number) for number in range(10)]
    [listed] = database.list_keys()
    assert (listed["requests"], listed["prompt_tokens"], listed["output_tokens"]) == (10, 20, 30)
    database.revoke_key("alice")
    assert database.valid_keys() == []
    database.close()
