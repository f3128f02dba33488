"""What an engine of Hugging Face models is told to load: a hub id, or a path."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from helpers.engines.plan import close_match
from helpers.errors import MissingError, UsageError
from helpers.models import catalogue, hub

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


@dataclass(frozen=True, slots=True)
class Source:
    """Where a model's weights are.

    Attributes:
        location: a hub id, or an absolute path.
        is_path: which of the two.
        known: its entry in the catalogue of downloads, if it has one.
        context_length: positions it was trained for; None if that is not known without a download.
        kv_values_per_token: keys and values that the KV cache keeps of one token; 0 if that is not known.
    """

    location: str
    is_path: bool
    known: hub.HubModel | None = None
    context_length: int | None = None
    kv_values_per_token: int = 0


def known_precisions(model: str) -> tuple[str, ...]:
    """The quantizations that the catalogue has of this model, its default first; empty for a hub id or a path."""
    return tuple(hub.models()[model].repositories) if model in hub.models() else ()


def find_source(model: str, precision: str = "") -> Source:
    """A model by catalogue id, hub id or path.

    Args:
        model: what was asked for.
        precision: picks the repository of a catalogue id; empty for its default.

    Raises:
        UsageError: it is nothing of these, it is a GGUF file, or the catalogue lacks it in this precision.
    """
    known = hub.models().get(model)
    if known is not None:
        location = known.repositories.get(precision or next(iter(known.repositories)), "")
        if not location:
            raise UsageError(
                f"no {precision} files of {model} are known",
                f"the catalogue has {', '.join(known.repositories)}",
                "give a hub id or the path of your own files as the model",
            )
        return Source(location, False, known, known.context_length, known.kv_values_per_token)
    if model not in catalogue.entries() and not Path(model).expanduser().exists():
        if HUB_ID.fullmatch(model):
            return Source(model, False)
        names = (*catalogue.entries(), *hub.models())
        raise UsageError(
            f"unknown model {model!r}{close_match(model, names)}",
            f"the catalogue has {', '.join(names)}; a hub id OWNER/NAME or a path works too",
        )
    files = catalogue.resolve(model)
    if files.gguf_file is not None:
        raise UsageError(
            f"{model} is a GGUF file", "this engine reads Hugging Face directories", "llama.cpp and ollama read GGUF"
        )
    return at_path(files.directory)


def at_path(directory: Path) -> Source:
    """A Hugging Face directory: what its config.json says; any architecture, so what that does not say stays unknown.

    Raises:
        MissingError: there is no config.json that can be read.
    """
    try:
        config = json.loads((directory / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise MissingError(
            f"{directory} has no readable config.json", str(error), "give a Hugging Face directory"
        ) from error
    heads = config.get("num_attention_heads") or 0
    head_size = config.get("head_dim") or (config.get("hidden_size", 0) // heads if heads else 0)
    kv_heads = config.get("num_key_value_heads") or heads
    return Source(
        str(directory.resolve()),
        True,
        context_length=config.get("max_position_embeddings"),
        kv_values_per_token=2 * config.get("num_hidden_layers", 0) * kv_heads * head_size,
    )
