"""Downloads are said before they are made, resumed, and compared with the hub's checksums."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub.utils import disable_progress_bars, enable_progress_bars

from helpers import cli
from helpers.errors import MissingError, UsageError
from helpers.models import hub, prefetch
from helpers.models.prefetch import Download, Size, downloads, fetch, find_download
from tests.models.fake_hub import FakeHub, fake_hub

CHUNK_BYTES = 10 * 2**20
"""huggingface_hub writes, and resumes, in pieces of this size."""

LLAMA = "nvidia/Llama-3.1-8B-Instruct-FP8"


@pytest.fixture(autouse=True)
def no_bars() -> Iterator[None]:
    """Where an earlier test has made this process a notebook's kernel, bars would be drawn on standard output."""
    disable_progress_bars()
    yield
    enable_progress_bars()


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "huggingface"))
    with fake_hub() as found:
        monkeypatch.setenv("HF_ENDPOINT", found.url)
        yield found


def files(weights_bytes: int = 4000) -> dict[str, bytes]:
    return {"config.json": b"{}", "model.safetensors": bytes(weights_bytes), "original/x.pth": b"1" * 999}


def test_every_entry_of_the_table_is_in_the_catalogue() -> None:
    for download in downloads([]):
        assert download.repository
        assert download.estimated_bytes > 10**9 or "eagle3" in download.name
    assert {download.repository for download in downloads([2])} == {LLAMA}


def test_the_defaults_are_not_gated() -> None:
    gated = {repository for model in hub.models().values() for repository in model.gated}
    assert not gated & {download.repository for download in downloads([])}


def test_names_that_are_not_in_the_catalogue() -> None:
    with pytest.raises(UsageError, match="unknown model 'llama-9'"):
        find_download("llama-9 fp8")
    with pytest.raises(UsageError, match=r"no f32 files of llama-3.1-8b"):
        find_download("llama-3.1-8b f32")
    assert find_download("llama-3.1-8b q4_k_m").patterns == ("*Q4_K_M*",)
    assert find_download("gpt-oss-20b mxfp4").repository == "openai/gpt-oss-20b"


def test_sizes_first_then_the_files_without_copies_in_other_formats(server: FakeHub) -> None:
    server.repositories["a/b"] = files()
    download = Download("x", "a/b")
    assert prefetch.ask_size(download) == Size(4002, 4002)
    assert not any(path.endswith("model.safetensors") for method, path, _ in server.requests if method == "GET")
    folder = fetch(download)
    assert sorted(path.name for path in folder.rglob("*") if path.is_file()) == ["config.json", "model.safetensors"]
    assert prefetch.ask_size(download) == Size(4002, 0)


def test_a_download_that_broke_off_goes_on_where_it_was(server: FakeHub) -> None:
    server.repositories["a/b"] = files(CHUNK_BYTES + 2000)
    server.breaks_off_at = CHUNK_BYTES + 1000
    fetch(Download("x", "a/b"))
    asked = [span for method, path, span in server.requests if method == "GET" and path.endswith("model.safetensors")]
    assert asked == ["", f"bytes={CHUNK_BYTES}-"]


def test_a_damaged_file_is_removed_and_fetched_anew(server: FakeHub) -> None:
    server.repositories["a/b"] = {"model.safetensors": b"weights"}
    server.damaged = {"model.safetensors"}
    with pytest.raises(MissingError, match=r"model.safetensors is not what the hub has"):
        fetch(Download("x", "a/b"))
    server.damaged = set()
    assert (fetch(Download("x", "a/b")) / "model.safetensors").read_bytes() == b"weights"


def test_what_the_hub_does_not_give_out_or_have_is_said(server: FakeHub) -> None:
    server.gated = {"a/gated"}
    with pytest.raises(MissingError, match=r"does not give out a/gated(?s:.)*hf auth login"):
        prefetch.ask_size(Download("x", "a/gated"))
    with pytest.raises(MissingError, match="the hub has no a/none"):
        fetch(Download("x", "a/none"))


def test_without_a_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(MissingError, match=r"a/b cannot be downloaded(?s:.)*check network"):
        prefetch.ask_size(Download("x", "a/b"))


def test_a_download_that_would_fill_the_disk_is_refused() -> None:
    assert prefetch.require_disk(0) > 0
    with pytest.raises(MissingError, match="of disk are free"):
        prefetch.require_disk(10**15)


def test_minutes() -> None:
    assert prefetch.minutes(75 * 10**7, 100) == 1.0


def test_the_command_on_a_spark(
    server: FakeHub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COURSE_PROFILE", "spark")
    server.repositories[LLAMA] = files()
    assert cli.main(["prefetch", "2", "--dry-run", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["downloads"] == [
        {"name": "llama-3.1-8b fp8", "from": LLAMA, "bytes": 4002, "missing_bytes": 4002},
    ]
    assert cli.main(["prefetch", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "min at 100 Mbit/s" in lines[1]
    assert lines[2].startswith(f"{LLAMA}: ")
    assert cli.main(["prefetch", "2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["missing_bytes"] == 0
    assert cli.main(["prefetch", "9"]) == 2


def test_the_command_on_a_laptop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COURSE_PROFILE", "laptop")
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path))
    assert cli.main(["prefetch"]) == 0
    assert "./course engines install vllm" in capsys.readouterr().out
    assert cli.main(["prefetch", "6"]) == 0
    assert "vllm" not in capsys.readouterr().out
