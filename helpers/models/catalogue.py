"""Which models there are, where their files lie, and their GGUF exports.

A model is named by an id of `catalogue.toml`, by the path of a directory in Hugging Face layout, or by the path of a
.gguf file. Everything made from the shipped files (the heavy variant, GGUF) is kept in the user's cache folder, keyed
by the digest of what it was made from.
"""

import difflib
import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from helpers.config import read_settings
from helpers.errors import MissingError, UsageError
from helpers.models.cache import cached, folder_digest

FOLDER = Path(__file__).resolve().parent
SOURCE_PATTERNS = ("*.json", "*.jinja", "*.safetensors")
"""The files of a checkpoint that decide its content."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the catalogue: shipped in `directory`, or the model or head `heavy_of`, padded.

    Attributes:
        parameters: what a padded model has, at least.
        drafts: kind of speculation (draft, eagle3) -> id of what proposes tokens to this model.
    """

    id: str
    summary: str
    directory: str = ""
    heavy_of: str = ""
    parameters: int = 0
    drafts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A model on disk.

    Attributes:
        id: the catalogue's id, or the name of the directory or file.
        directory: the folder with the Hugging Face files, or the folder of the .gguf file.
        gguf_file: the .gguf file if that is all there is of this model, else None.
    """

    id: str
    directory: Path
    gguf_file: Path | None = None


@functools.cache
def entries() -> dict[str, Entry]:
    """The catalogue, by id."""
    table = tomllib.loads((FOLDER / "catalogue.toml").read_text(encoding="utf-8"))
    return {model["id"]: Entry(**model) for model in table["model"]}


def resolve(model: str) -> ModelFiles:
    """Find a model's files; the heavy variant is made on first use (seconds).

    Args:
        model: a catalogue id, or a path to a Hugging Face directory or a .gguf file.

    Raises:
        UsageError: there is no such id and no such path.
        MissingError: the model's files are not where they should be.
    """
    if model in entries():
        return ModelFiles(model, _catalogue_directory(entries()[model]))
    path = Path(model).expanduser()
    if path.is_dir():
        return ModelFiles(path.resolve().name, path.resolve())
    if path.is_file() and path.suffix == ".gguf":
        return ModelFiles(path.stem, path.resolve().parent, path.resolve())
    if path.is_file():
        raise UsageError(f"{model} is neither a directory nor a .gguf file", "", "give the directory that holds it")
    if path.suffix == ".gguf" or path.is_absolute() or model.startswith((".", "~")):
        raise MissingError(f"there is no model at {model}", "a typing mistake, or a file that was moved")
    close = difflib.get_close_matches(model, entries(), n=1)
    raise UsageError(
        f"unknown model {model!r}" + (f"; did you mean {close[0]}?" if close else ""),
        f"the catalogue has {', '.join(entries())}; a path to a directory or a .gguf file works too",
        "./course model",
    )


def gguf(model: str, precision: str) -> Path:
    """The model as a GGUF file of this precision, exported on first use.

    Args:
        model: as in `resolve`. A .gguf file is given back as it is if it holds this precision.
        precision: f32, bf16, f16 or q8_0; for a .gguf file also what its header may say (q4_k_m, ...).

    Raises:
        UsageError: unknown model or precision, or a .gguf file of another precision.
        MissingError: a file is missing or damaged, or the cache cannot be written.
    """
    from helpers.models import eagle_gguf  # the gguf package takes half a second to import
    from helpers.models import gguf as exporter
    from helpers.models.eagle import is_head

    files = resolve(model)
    if files.gguf_file is not None:
        stored = exporter.stored_precision(files.gguf_file)
        if stored != precision:
            raise UsageError(f"{files.gguf_file} holds {stored}, not {precision}", "", f"ask for precision {stored}")
        return files.gguf_file
    exporter.require_precision(precision)
    name = f"{files.id}-{precision}"
    entry = read_settings().cache / "gguf" / f"{name}-{directory_digest(files.directory)[:16]}"

    export = eagle_gguf.export_head if is_head(files.directory) else exporter.export

    def make(folder: Path) -> None:
        export(files.directory, folder / f"{name}.gguf", precision, files.id)

    return cached(entry, make) / f"{name}.gguf"


def directory_digest(directory: Path) -> str:
    """SHA-256 over the files that decide a checkpoint's content (config, tokenizer, template, weights)."""
    return folder_digest(directory, SOURCE_PATTERNS)


def _catalogue_directory(entry: Entry) -> Path:
    if entry.heavy_of:
        from helpers.models import eagle, heavy  # NumPy only where it is needed

        source = _catalogue_directory(entries()[entry.heavy_of])
        folder = read_settings().cache / "models" / f"{entry.id}-{directory_digest(source)[:16]}"
        if eagle.is_head(source):
            return cached(folder, lambda making: eagle.write_heavy_head(source, making))
        return cached(folder, lambda making: heavy.write_heavy(source, making, entry.parameters))
    directory = FOLDER / entry.directory
    if not (directory / "config.json").is_file():
        raise MissingError(
            f"the files of model {entry.id} are not in {directory}",
            "an incomplete clone",
            "git checkout -- helpers/models/course",
        )
    return directory
