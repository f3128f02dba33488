"""Built once, loaded after that; another key is another engine; a damaged one is built again, and said so."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from helpers.aot import build
from helpers.aot.build import ENGINE_FILE, WEIGHTS_FILE, BuiltEngine, build_engine, engine_key, open_engine
from helpers.aot.profile import ShapeProfile
from helpers.errors import MissingError, UsageError

PROFILE = ShapeProfile("range", 2, 16, 64)


def test_the_second_time_it_is_loaded_and_nothing_is_built(
    cache: Path, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    first = build_engine(str(checkpoint), profile=PROFILE, tell=told.append)
    assert first.state == "built"
    assert [line.split(":")[0] for line in told] == ["export", "compile"] == list(first.stages_s)
    assert first.build_s > 0
    names = {path.name for path in first.folder.iterdir()}
    assert names == {ENGINE_FILE, WEIGHTS_FILE, "engine.json", "cache-manifest.json"}
    assert first.engine_bytes == sum((first.folder / name).stat().st_size for name in (ENGINE_FILE, WEIGHTS_FILE))
    monkeypatch.setattr(build, "_build", None)
    second = build_engine(str(checkpoint), profile=PROFILE, tell=told.append)
    assert second == dataclasses.replace(first, state="loaded")
    assert len(told) == 2


@pytest.mark.parametrize("damage", ["engine cut", "weights changed", "weights gone", "facts gone"])
def test_a_damaged_engine_is_built_again_and_said_so(cache: Path, checkpoint: Path, damage: str) -> None:
    folder = build_engine(str(checkpoint), profile=PROFILE).folder
    if damage == "engine cut":
        (folder / ENGINE_FILE).write_bytes((folder / ENGINE_FILE).read_bytes()[:100])
    elif damage == "weights changed":
        content = bytearray((folder / WEIGHTS_FILE).read_bytes())
        content[len(content) // 2] ^= 1
        (folder / WEIGHTS_FILE).write_bytes(content)
    else:
        (folder / {"weights gone": WEIGHTS_FILE, "facts gone": "engine.json"}[damage]).unlink()
    told: list[str] = []
    again = build_engine(str(checkpoint), profile=PROFILE, tell=told.append)
    assert again.state == "rebuilt"
    assert "is damaged: it is built again" in told[0]
    assert open_engine(again)


def test_a_stopped_build_leaves_nothing_that_could_be_taken_for_an_engine(
    cache: Path, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(build, "_compile", stop)
        with pytest.raises(KeyboardInterrupt):
            build_engine(str(checkpoint), profile=PROFILE)
    assert list((cache / "onnx-engines").iterdir()) == []
    assert build_engine(str(checkpoint), profile=PROFILE).state == "built"


def test_model_precision_profile_provider_and_versions_are_the_key(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for file in checkpoint.iterdir():
        (other / file.name).write_bytes(file.read_bytes())
    keys = [engine_key(checkpoint, "f32", PROFILE, "cpu"), engine_key(other, "f32", PROFILE, "cpu")]
    assert keys[0] == keys[1]  # it is the content that counts, not the place
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps({**config, "rms_norm_eps": 1e-6}))
    keys += [
        engine_key(other, "f32", PROFILE, "cpu"),
        engine_key(checkpoint, "int8", PROFILE, "cpu"),
        engine_key(checkpoint, "f32", dataclasses.replace(PROFILE, kind="fixed"), "cpu"),
        engine_key(checkpoint, "f32", PROFILE, "tensorrt"),
    ]
    monkeypatch.setattr(build.importlib.metadata, "version", lambda name: "99")
    keys.append(engine_key(checkpoint, "f32", PROFILE, "cpu"))
    monkeypatch.setattr(build, "processor_name", lambda: "another")
    keys.append(engine_key(checkpoint, "f32", PROFILE, "cpu"))
    assert len(set(keys[1:])) == len(keys[1:])


def test_int8_weights_take_a_quarter(built: Callable[..., BuiltEngine]) -> None:
    sizes = {precision: built(precision=precision).engine_bytes for precision in ("f32", "int8")}
    # The embedding and the rotary table stay in float32; so small a model has little else.
    assert sizes["int8"] < 0.7 * sizes["f32"]
    assert list(built(precision="int8").stages_s) == ["export", "quantize", "compile"]


def test_what_has_no_engine_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown model"):
        build_engine("cours")
    with pytest.raises(MissingError, match=r"no config\.json"):
        build_engine(str(tmp_path))
    (tmp_path / "model.gguf").write_bytes(b"GGUF")
    with pytest.raises(UsageError, match=r"is a \.gguf file"):
        build_engine(str(tmp_path / "model.gguf"))
