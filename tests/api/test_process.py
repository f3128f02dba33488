"""The gateway as a process: the command, its start, its drain, its death."""

import json
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from helpers.api.database import Database
from helpers.api.process import GatewayProcess
from helpers.cli import main
from helpers.client.mock import MockServer
from helpers.config import ROOT
from helpers.errors import EngineFailed
from tests.api.gateways import ASK, events, until


@pytest.fixture
def mock() -> Iterator[MockServer]:
    with MockServer(ttft_s=0.05, gap_s=0.05, output_tokens=20) as mock:
        yield mock


def chat(gateway: GatewayProcess, **fields: Any) -> httpx.Response:
    with httpx.Client(trust_env=False, verify=False, timeout=30) as client:
        return client.post(f"{gateway.url}/chat/completions", json={**ASK, **fields})


def test_sigterm_finishes_what_runs_and_refuses_what_is_new(tmp_path: Path, mock: MockServer) -> None:
    database = tmp_path / "gateway.sqlite"
    with (
        GatewayProcess("--upstream", f"m={mock.url}", "--database", f"sqlite:///{database}") as gateway,
        ThreadPoolExecutor(8) as pool,
    ):
        asked = [pool.submit(chat, gateway, stream=True) for _ in range(8)]
        until(lambda: mock.truth().peak_in_flight == 8)
        gateway.send_signal(signal.SIGTERM)
        until(lambda: refuses(gateway))
        for answer in asked:
            said = answer.result(20)
            assert said.text.endswith("data: [DONE]\n\n")
            assert len(events(said.text)) >= 20
        assert gateway.wait(10) == 0
    rows = sqlite3.connect(database).execute("select outcome, output_tokens from gateway_usage").fetchall()
    assert [row for row in rows if row[0] != "shutting_down"] == [("ok", 20)] * 8


def refuses(gateway: GatewayProcess) -> bool:
    try:
        return chat(gateway).status_code == 503
    except httpx.TransportError:
        return True


def test_the_drain_time_is_bounded_and_its_end_is_told(tmp_path: Path) -> None:
    config = tmp_path / "gateway.toml"
    config.write_text("[timeouts]\ndrain_s = 1\n")
    with (
        MockServer(ttft_s=0.01, gap_s=0.05, output_tokens=1000) as mock,
        GatewayProcess(
            "--upstream", f"m={mock.url}", "--config", str(config), "--database", f"sqlite:///{tmp_path}/g.sqlite"
        ) as gateway,
        ThreadPoolExecutor(2) as pool,
    ):
        asked = pool.submit(chat, gateway, stream=True)
        until(lambda: sum(request.tokens for request in mock.truth().requests) > 3)
        gateway.send_signal(signal.SIGTERM)
        assert events(asked.result(20).text)[-1]["error"]["code"] == "shutting_down"
        assert gateway.wait(10) == 0


def test_sigkill_loses_no_key_and_at_most_a_second_of_usage(tmp_path: Path, mock: MockServer) -> None:
    database = tmp_path / "gateway.sqlite"
    url = f"sqlite:///{database}"
    text = add_key(url, "alice")
    with GatewayProcess("--upstream", f"m={mock.url}", "--database", url) as gateway:
        headers = {"authorization": f"Bearer {text}"}
        with httpx.Client(trust_env=False, verify=False, headers=headers, base_url=gateway.root) as client:
            assert client.post("/v1/chat/completions", json={**ASK, "max_tokens": 1}).status_code == 200
            until(lambda: rows(database) == 1)
            with client.stream("POST", "/v1/chat/completions", json={**ASK, "stream": True}) as stream:
                next(stream.iter_bytes())
                gateway.send_signal(signal.SIGKILL)
        gateway.wait(10)
    assert sqlite3.connect(database).execute("pragma integrity_check").fetchone() == ("ok",)
    assert rows(database) == 1
    database_now = Database(url)
    [key] = database_now.list_keys()
    database_now.close()
    assert (key["name"], key["requests"], key["output_tokens"]) == ("alice", 1, 1)
    assert "digest" not in key


def add_key(url: str, name: str) -> str:
    database = Database(url)
    try:
        return database.add_key(name)
    finally:
        database.close()


def rows(database: Path) -> int:
    connection = sqlite3.connect(database)
    try:
        return int(connection.execute("select count(*) from gateway_usage").fetchone()[0])
    finally:
        connection.close()


def test_keys_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def keys(*arguments: str) -> tuple[int, str]:
        code = main(["keys", *arguments, "--database", f"sqlite:///{tmp_path}/g.sqlite"])
        shown = capsys.readouterr()
        return code, shown.out + shown.err

    assert "No keys" in keys("list")[1]
    assert keys("add", "bob")[1].startswith("ck-")
    assert "bob" in keys("list")[1]
    assert json.loads(keys("add", "carol", "--json")[1])["key"].startswith("ck-")
    assert keys("revoke", "bob") == (0, "Revoked bob.\n")
    assert [key["revoked_at"] is None for key in json.loads(keys("list", "--json")[1])["keys"]] == [False, True]
    for wrong in (["add"], ["list", "x"], ["revoke", "nobody"], ["add", "x", "--in-flight", "-1"], ["add", "carol"]):
        assert keys(*wrong)[0] == 2


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (["--host", "0.0.0.0"], 2, "keys add"),
        (["--host", "0.0.0.0", "--no-keys"], 2, "loopback"),
        (["--upstream", "nonsense"], 2, "NAME=URL"),
        (["--upstream", "a=http://x", "--upstream", "a=http://y"], 2, "one name"),
        (["--upstream", "a=http://x", "--model", "m"], 2, "--engine"),
        (["--upstream", "a=http://x", "--host", "203.0.113.7", "--keys"], 2, "keys add"),
        (["--upstream", "a=http://x", "--database", "nosuch://x"], 2, "database"),
        (["--config", "/no/such.toml"], 3, "cannot read"),
        (["--engine", "no-such-engine"], 2, "no-such-engine"),
    ],
)
def test_wrong_use_is_explained_before_anything_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, word: str
) -> None:
    if "--database" not in arguments:
        arguments = [*arguments, "--database", f"sqlite:///{tmp_path}/g.sqlite"]
    assert main(["serve", "--port", "0", *arguments]) == code
    shown = capsys.readouterr()
    assert (shown.out, word in shown.err) == ("", True)


def test_a_taken_port_is_explained_and_a_dead_upstream_is_no_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database = f"sqlite:///{tmp_path}/g.sqlite"
    with GatewayProcess("--upstream", "m=http://127.0.0.1:9", "--database", database) as gateway:
        port = gateway.root.rsplit(":", 1)[1]
        with httpx.Client(trust_env=False, verify=False, base_url=gateway.root) as client:
            assert client.get("/ready").status_code == 503
            assert client.get("/health").status_code == 200
            assert client.post("/v1/chat/completions", json=ASK).status_code == 404
        assert main(["serve", "--port", port, "--upstream", "m=http://127.0.0.1:9", "--database", database]) == 3
        assert "cannot listen" in capsys.readouterr().err


def test_a_gateway_that_does_not_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(EngineFailed, match="NAME=URL"):
        GatewayProcess("--upstream", "nonsense", "--database", f"sqlite:///{tmp_path}/g.sqlite").start()


def test_the_gateway_ends_with_who_started_it(tmp_path: Path, mock: MockServer) -> None:
    code = (
        "import os, signal; from helpers.api.process import GatewayProcess; "
        f"g = GatewayProcess('--upstream', 'm={mock.url}', '--database', 'sqlite:///{tmp_path}/g.sqlite').start(); "
        "print(g.root, flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    root = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False).stdout
    assert root.startswith("http://127.0.0.1:")
    until(lambda: gone(root.strip()))


def gone(root: str) -> bool:
    try:
        httpx.get(f"{root}/health", trust_env=False)
    except httpx.TransportError:
        return True
    return False
