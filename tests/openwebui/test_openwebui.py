"""Planned, started, used and removed: with a program that speaks its API; for real in group openwebui."""

import json
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from helpers.cli import main
from helpers.errors import EngineFailed, MissingError, UsageError
from helpers.openwebui import install, life, rest
from helpers.openwebui.plan import IMAGE, VERSION, make_plan, program


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path))
    yield tmp_path / "openwebui"
    life.stop()


@pytest.fixture
def fake(home: Path) -> Path:
    """Its program, as it would be installed."""
    program().parent.mkdir(parents=True)
    program().write_text(f"#!{sys.executable}\n{Path(__file__).with_name('fake_program.py').read_text()}")
    program().chmod(0o755)
    return program()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def test_a_plan_is_quiet_offline_on_loopback_and_hides_the_key(home: Path) -> None:
    plan = make_plan("http://127.0.0.1:8080/v1", key="ck-secret")
    assert plan.argv[-4:] == ("--host", "127.0.0.1", "--port", "3000")
    assert plan.env["OPENAI_API_BASE_URL"] == "http://127.0.0.1:8080/v1"
    assert (plan.env["ENABLE_OPENAI_API"], plan.env["ENABLE_OLLAMA_API"]) == ("true", "false")
    assert plan.env["ENABLE_TITLE_GENERATION"] == "false"
    assert plan.env["HF_HUB_OFFLINE"] == "1"
    assert plan.env["OPENAI_API_KEY"] == "ck-secret"
    assert "ck-secret" not in plan.shell + repr(plan)


def test_against_an_ollama_and_as_a_container(home: Path) -> None:
    plan = make_plan("http://127.0.0.1:11434", "ollama", container=True)
    assert plan.env["OLLAMA_BASE_URL"] == "http://127.0.0.1:11434"
    assert plan.env["ENABLE_OLLAMA_API"] == "true"
    assert plan.argv[:2] == ("docker", "run")
    assert plan.argv[-1] == IMAGE
    assert VERSION in IMAGE


@pytest.mark.parametrize(("url", "api"), [("localhost", "openai"), ("http://x", "soap")])
def test_wrong_use(home: Path, url: str, api: str) -> None:
    with pytest.raises(UsageError):
        make_plan(url, api)


def test_started_used_stopped_and_removed(fake: Path, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    port = str(free_port())
    arguments = ["--port", port, "--url", "http://127.0.0.1:1", "--json"]
    assert main(["openwebui", "start", *arguments]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["models"] == ["course"]
    assert said["answer"] == "You answer in one short sentence. Asked through http://127.0.0.1:1/v1."
    assert rest.account_file().stat().st_mode & 0o077 == 0
    assert rest.verify(f"http://127.0.0.1:{port}")["preset"] == said["preset"], "a second time finds all of it there"
    with pytest.raises(EngineFailed, match="runs already"):
        life.start(make_plan("http://127.0.0.1:1", port=int(port)))
    assert main(["openwebui", "remove", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["removed"]
    assert life.running() is None
    assert not home.exists()
    assert not life.stop()


def test_a_start_that_fails_says_its_last_words(fake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_BREAKS", "1")
    with pytest.raises(EngineFailed) as failed:
        life.start(make_plan("http://127.0.0.1:1", port=free_port()))
    assert "no space left" in failed.value.cause
    assert life.running() is None


def test_not_installed_and_no_room(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MissingError, match="not installed"):
        life.start(make_plan("http://127.0.0.1:1"))
    monkeypatch.setattr(
        install.shutil, "disk_usage", lambda path: install.shutil._ntuple_diskusage(10**12, 10**12, 10**9)
    )
    with pytest.raises(MissingError, match="GB are free"):
        install.install()


@pytest.mark.openwebui
def test_the_real_one(tmp_path: Path) -> None:
    from helpers.api.process import GatewayProcess
    from helpers.client.mock import MockServer

    if not program().is_file():
        pytest.skip("Open WebUI is not installed: ./course openwebui install")
    with (
        MockServer(output_tokens=8) as mock,
        GatewayProcess("--upstream", f"mock={mock.url}", "--database", f"sqlite:///{tmp_path}/g.sqlite") as gateway,
    ):
        plan = make_plan(gateway.root, port=free_port())
        life.start(plan)
        try:
            seen = rest.verify(plan.url)
        finally:
            life.stop()
    assert seen["models"] == ["mock"]
    assert seen["answer"].startswith("tokens leave here")
