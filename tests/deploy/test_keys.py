"""The two programs that the containers run once, and Open WebUI's start."""

import importlib.util
import stat
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from helpers.api.database import Database
from helpers.config import ROOT
from helpers.errors import UsageError
from helpers.models.gguf import stored_precision


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "deploy" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "data"))
    return tmp_path


def test_a_key_is_made_once_and_is_valid(cache: Path) -> None:
    make_keys = script("make_keys").make_keys
    assert make_keys(cache / "keys", ["prometheus", "open-webui"]) == ["prometheus", "open-webui"]
    file = cache / "keys" / "prometheus" / "key"
    text = file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o444
    assert make_keys(cache / "keys", ["prometheus", "open-webui"]) == []
    assert file.read_text() == text
    database = Database("")
    assert sorted(key.name for key in database.valid_keys()) == ["open-webui", "prometheus"]
    assert text[3:11] in {key.id for key in database.valid_keys()}
    database.close()


def test_a_lost_file_is_an_error_that_says_so(
    cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module = script("make_keys")
    module.make_keys(cache / "keys", ["prometheus"])
    (cache / "keys" / "prometheus" / "key").unlink()
    with pytest.raises(UsageError, match="prometheus"):
        module.make_keys(cache / "keys", ["prometheus"])
    monkeypatch.setattr(sys, "argv", ["make_keys.py", "--folder", str(cache / "keys"), "prometheus"])
    assert module.main() == 2
    assert "there is a key 'prometheus' already" in capsys.readouterr().err


def test_the_model_is_exported_whole(tmp_path: Path) -> None:
    file = tmp_path / "course.gguf"
    script("export_model").export("course", "q8_0", file)
    assert stored_precision(file) == "q8_0"
    assert [path.name for path in tmp_path.iterdir()] == ["course.gguf"]


def test_open_webuis_command_hands_on_its_key(tmp_path: Path) -> None:
    entrypoint = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())["services"]["open-webui"]["entrypoint"]
    key, start = tmp_path / "key", tmp_path / "start.sh"
    key.write_text("ck-1")
    start.write_text('printf %s "$OPENAI_API_KEY"')
    # Compose makes $ of $$; the image's key file is the one of this test.
    argv = [word.replace("$$", "$").replace("/keys/open-webui/key", str(key)) for word in entrypoint]
    assert subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=True).stdout == "ck-1"
