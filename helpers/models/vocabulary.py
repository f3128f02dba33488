"""A checkpoint's tokenizer, read from its Hugging Face files into what a GGUF file stores.

Only byte-level BPE with the split pattern of GPT-2 is read: llama.cpp knows a split by name, not by its pattern, so any
other would need to be recognised first, and a wrong name gives other tokens without a word.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf

from helpers.errors import MissingError, UsageError
from helpers.models.checkpoint import read_json


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The tokenizer as GGUF stores it: token texts in byte-level form and their types, in id order; merges by rank."""

    tokens: list[str]
    types: list[int]
    merges: list[str]
    chat_template: str
    end_id: int
    begin_id: int


def read_vocabulary(directory: Path, size: int) -> Vocabulary:
    """Read `tokenizer.json` and `tokenizer_config.json`.

    Args:
        directory: the checkpoint.
        size: the model's number of token ids; ids without a token become unused ones.

    Raises:
        MissingError: a file, the chat template or the end token is missing.
        UsageError: the tokenizer is not byte-level BPE with the GPT-2 split.
    """
    tokenizer = read_json(directory, "tokenizer.json")
    settings = read_json(directory, "tokenizer_config.json")
    _require_gpt2_bpe(tokenizer, directory)
    ids: dict[str, int] = dict(tokenizer["model"]["vocab"])
    added: list[dict[str, Any]] = tokenizer.get("added_tokens") or []
    ids |= {token["content"]: token["id"] for token in added}
    if len(ids) != len(set(ids.values())) or max(ids.values()) >= size:
        raise UsageError(f"{directory}: token ids do not fit a vocabulary of {size}")
    # Ids without a token (a vocabulary padded to a round size) still need a text of their own.
    tokens = [f"[unused{index}]" for index in range(size)]
    types = [int(gguf.TokenType.UNUSED)] * size
    for text, index in ids.items():
        tokens[index], types[index] = text, int(gguf.TokenType.NORMAL)
    for token in added:
        types[token["id"]] = int(gguf.TokenType.CONTROL if token["special"] else gguf.TokenType.USER_DEFINED)
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in tokenizer["model"]["merges"]]
    end_id = _token_id(settings, "eos_token", ids)
    if end_id is None:
        raise MissingError(f"{directory}: tokenizer_config.json names no end token", "eos_token is missing or unknown")
    # Without a begin token llama.cpp would take id 11, whatever that is, for an empty prompt.
    begin_id = next(
        found
        for name in ("bos_token", "pad_token", "eos_token")
        if (found := _token_id(settings, name, ids)) is not None
    )
    return Vocabulary(tokens, types, merges, _chat_template(directory, settings), end_id, begin_id)


def _token_id(settings: dict[str, Any], name: str, ids: dict[str, int]) -> int | None:
    entry = settings.get(name)
    return ids.get(entry["content"] if isinstance(entry, dict) else entry or "")


def _chat_template(directory: Path, settings: dict[str, Any]) -> str:
    beside = directory / "chat_template.jinja"
    template = beside.read_text(encoding="utf-8") if beside.is_file() else settings.get("chat_template")
    if not isinstance(template, str) or not template:
        raise MissingError(
            f"{directory} has no chat template",
            "a base model, which was not trained to chat",
            "use an instruction-tuned model",
        )
    return template


def _require_gpt2_bpe(tokenizer: dict[str, Any], directory: Path) -> None:
    split = tokenizer.get("pre_tokenizer") or {}
    after = tokenizer.get("post_processor") or {"type": "ByteLevel"}
    model = tokenizer.get("model") or {}
    is_gpt2 = (
        model.get("type") == "BPE"
        and {"vocab", "merges"} <= model.keys()
        and split.get("type") == "ByteLevel"
        and split.get("use_regex", True)
        and not split.get("add_prefix_space")
        and not tokenizer.get("normalizer")
        and after["type"] == "ByteLevel"
    )
    if not is_gpt2:
        raise UsageError(
            f"{directory}: this tokenizer cannot be exported",
            "the exporter knows byte-level BPE with the GPT-2 split, no normalizer and no added begin token",
            "use a .gguf file of that model",
        )
