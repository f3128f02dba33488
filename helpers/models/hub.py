"""The models that are downloaded: what they are called on the hub per quantization, and their shape.

Nothing here asks the hub. The table is the `[[hub]]` part of `catalogue.toml`.
"""

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field

from helpers.errors import UsageError
from helpers.models.catalogue import FOLDER


@dataclass(frozen=True, slots=True)
class HubModel:
    """One downloadable model.

    Attributes:
        id: the course's name for it.
        family: `llama`, `qwen`, `qwen-moe`, `gpt-oss`, `nemotron-h`: which converters and kernels fit.
        parameters: of all weights; active_parameters: read for one token (0: all of them).
        layers, kv_heads, head_size: of attention with a KV cache; 0 where layers differ in kind.
        context_length: positions that it was trained for.
        repositories: quantization -> hub id; the default is the first.
        gguf: quantization -> `hub id:tag` of a GGUF file.
        ollama: its name in Ollama's library.
        eagle3: EAGLE-3 draft by engine; `any` for all that read Hugging Face files.
        draft: a small model with the same tokenizer, likewise.
        gated: repositories whose licence must be accepted on the hub.
    """

    id: str
    family: str
    parameters: int
    context_length: int
    repositories: Mapping[str, str]
    active_parameters: int = 0
    layers: int = 0
    kv_heads: int = 0
    head_size: int = 0
    gguf: Mapping[str, str] = field(default_factory=dict)
    ollama: str = ""
    eagle3: Mapping[str, str] = field(default_factory=dict)
    draft: Mapping[str, str] = field(default_factory=dict)
    gated: tuple[str, ...] = ()

    @property
    def kv_values_per_token(self) -> int:
        """Keys and values of one token in all layers; 0 if the shape is not one of plain attention."""
        return 2 * self.layers * self.kv_heads * self.head_size

    def draft_for(self, engine: str, speculation: str) -> str:
        """Hub id of the draft that fits this engine.

        Raises:
            UsageError: none is known.
        """
        drafts = self.draft if speculation == "draft" else self.eagle3
        found = drafts.get(engine, "" if engine == "llama.cpp" else drafts.get("any", ""))
        if not found:
            raise UsageError(
                f"no {speculation} draft of {self.id} is known",
                "a draft is made for one model",
                "name one with draft_model, or take speculation ngram, which needs none",
            )
        return found


@functools.cache
def models() -> dict[str, HubModel]:
    """All of them, by id."""
    table = tomllib.loads((FOLDER / "catalogue.toml").read_text(encoding="utf-8"))
    return {entry["id"]: HubModel(**{**entry, "gated": tuple(entry.get("gated", ()))}) for entry in table["hub"]}
