import os
import shutil
import threading
from pathlib import Path

import pytest

from helpers.errors import MissingError, UsageError
from helpers.models import cache as cache_module
from helpers.models import catalogue
from helpers.models import gguf as exporter


@pytest.fixture
def exports(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The precisions really exported, in order."""
    done: list[str] = []
    original = exporter.export

    def counted(directory: Path, target: Path, precision: str, name: str) -> None:
        done.append(precision)
        original(directory, target, precision, name)

    monkeypatch.setattr(exporter, "export", counted)
    return done


def test_a_directory_is_a_model(tiny_model: Path) -> None:
    assert catalogue.resolve(str(tiny_model)) == catalogue.ModelFiles("tiny", tiny_model.resolve())


def test_an_unknown_id_names_the_close_one() -> None:
    with pytest.raises(UsageError, match="did you mean course-draft"):
        catalogue.resolve("course-darft")


@pytest.mark.parametrize("path", ["/nowhere/model", "./nowhere", "nowhere.gguf"])
def test_a_path_that_is_not_there(path: str) -> None:
    with pytest.raises(MissingError, match="there is no model at"):
        catalogue.resolve(path)


def test_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"x")
    with pytest.raises(UsageError, match="neither"):
        catalogue.resolve(str(tmp_path / "model.bin"))


def test_exports_are_kept(tiny_model: Path, cache: Path, exports: list[str]) -> None:
    first = catalogue.gguf(str(tiny_model), "f16")
    assert first.is_relative_to(cache)
    assert catalogue.gguf(str(tiny_model), "f16") == first
    assert catalogue.gguf(str(tiny_model), "q8_0") != first
    assert exports == ["f16", "q8_0"]


def test_other_content_is_another_export(tiny_model: Path, tmp_path: Path, cache: Path) -> None:
    own = Path(shutil.copytree(tiny_model, tmp_path / "own"))
    first = catalogue.gguf(str(own), "f32")
    weights = bytearray((own / "model.safetensors").read_bytes())
    weights[-2:] = b"\x80\x3f"
    (own / "model.safetensors").write_bytes(weights)
    second = catalogue.gguf(str(own), "f32")
    assert first != second
    assert first.read_bytes() != second.read_bytes()


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def flip_a_byte(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(-5, os.SEEK_END)
        byte = file.read(1)
        file.seek(-5, os.SEEK_END)
        file.write(bytes([byte[0] ^ 1]))


def forget_the_manifest(path: Path) -> None:
    (path.parent / cache_module.MANIFEST).unlink()


def garble_the_manifest(path: Path) -> None:
    (path.parent / cache_module.MANIFEST).write_text('{"x": 3}')


@pytest.mark.parametrize("damage", [truncate, flip_a_byte, Path.unlink, forget_the_manifest, garble_the_manifest])
def test_a_damaged_export_is_made_again(tiny_model: Path, cache: Path, exports: list[str], damage) -> None:
    path = catalogue.gguf(str(tiny_model), "f32")
    whole = path.read_bytes()
    damage(path)
    assert catalogue.gguf(str(tiny_model), "f32").read_bytes() == whole
    assert exports == ["f32", "f32"]
    assert [entry.name for entry in path.parent.parent.iterdir()] == [path.parent.name]


def test_a_touched_but_whole_export_is_taken(tiny_model: Path, cache: Path, exports: list[str]) -> None:
    path = catalogue.gguf(str(tiny_model), "f32")
    os.utime(path, ns=(1, 1))
    catalogue.gguf(str(tiny_model), "f32")
    assert exports == ["f32"]


def test_a_failed_export_leaves_nothing(tiny_model: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(directory: Path, target: Path, precision: str, name: str) -> None:
        target.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(exporter, "export", fail)
    with pytest.raises(KeyboardInterrupt):
        catalogue.gguf(str(tiny_model), "f32")
    assert list((cache / "gguf").iterdir()) == []


def test_a_full_disk_is_explained(tiny_model: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(directory: Path, target: Path, precision: str, name: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(exporter, "export", fail)
    with pytest.raises(MissingError, match="No space left") as caught:
        catalogue.gguf(str(tiny_model), "f32")
    assert "./course clean" in caught.value.next_command


def test_two_at_once_end_with_one_whole_entry(tiny_model: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    both_are_making = threading.Barrier(2, timeout=30)
    original = exporter.export

    def together(directory: Path, target: Path, precision: str, name: str) -> None:
        original(directory, target, precision, name)
        both_are_making.wait()

    monkeypatch.setattr(exporter, "export", together)
    paths: list[Path] = []
    threads = [threading.Thread(target=lambda: paths.append(catalogue.gguf(str(tiny_model), "f32"))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert paths[0] == paths[1]
    assert cache_module.is_whole(paths[0].parent)
    assert len(list((cache / "gguf").iterdir())) == 1


def test_a_gguf_file_is_given_back_if_it_holds_the_precision(tiny_model: Path, cache: Path) -> None:
    path = catalogue.gguf(str(tiny_model), "q8_0")
    assert catalogue.resolve(str(path)).gguf_file == path
    assert catalogue.gguf(str(path), "q8_0") == path
    with pytest.raises(UsageError, match="holds q8_0, not f16"):
        catalogue.gguf(str(path), "f16")


def test_a_damaged_gguf_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "broken.gguf").write_bytes(b"GGUF")
    with pytest.raises(MissingError, match="cannot be read as GGUF"):
        catalogue.gguf(str(tmp_path / "broken.gguf"), "f16")


def test_the_heavy_variant_is_made_once_and_named(
    tiny_model: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = {
        "small": catalogue.Entry("small", "", directory=str(tiny_model)),
        "small-heavy": catalogue.Entry("small-heavy", "", heavy_of="small", parameters=1_000_000),
    }
    monkeypatch.setattr(catalogue, "entries", lambda: table)
    files = catalogue.resolve("small-heavy")
    made_ns = (files.directory / "model.safetensors").stat().st_mtime_ns
    assert "heavy" in files.directory.name
    assert catalogue.resolve("small-heavy") == files
    assert (files.directory / "model.safetensors").stat().st_mtime_ns == made_ns
    path = catalogue.gguf("small-heavy", "q8_0")
    assert path.name == "small-heavy-q8_0.gguf"
    assert exporter.stored_precision(path) == "q8_0"
