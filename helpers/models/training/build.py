"""The whole training: tokenizer, target, draft distilled from the target, measurement, card."""

import datetime
import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from helpers.models.card import Quality, weights_digest
from helpers.models.llama import load_llama
from helpers.models.tokenizer import load_tokenizer
from helpers.models.training.agreement import measure_acceptance, measure_agreement
from helpers.models.training.corpus.mixture import WEIGHTS, stream
from helpers.models.training.evaluate import judge, make_local_ask
from helpers.models.training.glossary import load_glossary
from helpers.models.training.network import DRAFT, TARGET, Network
from helpers.models.training.tokenizer import train_tokenizer
from helpers.models.training.train import Loss, Run, Stage, export_checkpoint, train

TOKENIZER_SEED = 7
TARGET_SEED = 2026
DRAFT_SEED = 2027
# Attention learns to copy first, at the full rate; then the terms, which need many repetitions, while the rate falls.
# Rows of 2,048 tokens come between the short ones from then on, so that recall over long distances stays.
_COPYING = {"terms": 42, "records": 24, "copying": 15, "lists": 7, "recall": 5, "stories": 3, "code": 3, "talk": 0.7}
_TERMS = {"terms": 60, "records": 18, "copying": 8, "lists": 6, "recall": 3, "stories": 2, "code": 2, "talk": 0.6}
_LONG = {"terms": 36, "records": 14, "copying": 6, "lists": 4, "recall": 14, "stories": 1.5, "code": 1, "talk": 0.5}
_BLOCKS = 13


def _short_rows(
    steps: int, first_rate: float, last_rate: float, weights: Mapping[str, float] = WEIGHTS, cut_share: float = 0.0
) -> Stage:
    return Stage(steps, 16, 256, 60, first_rate, last_rate, weights, cut_share)


def _long_rows(steps: int, first_rate: float, last_rate: float) -> Stage:
    return Stage(steps, 2, 2048, 850, first_rate, last_rate, _LONG, cut_share=0.5)


def _falling_blocks() -> Iterator[Stage]:
    """Blocks of short rows with a few long ones after each, while the rate falls from 1 to 0.04."""
    for block in range(_BLOCKS):
        first, last = (1 - 0.96 * index / _BLOCKS for index in (block, block + 1))
        yield _short_rows(200, first, last, _TERMS, cut_share=0.5)
        yield _long_rows(12, last, last)


TARGET_STAGES = (_short_rows(700, 1.0, 1.0, _COPYING), *_falling_blocks(), _long_rows(40, 0.04, 0.0))
DRAFT_STAGES = (_short_rows(480, 0.6, 0.15), Stage(100, 8, 512, 190, 0.15, 0.0))
LIMITS = (
    "It knows the glossary of the course and nothing else of the world.",
    "It does no arithmetic, and it does not translate, summarise or reason.",
    "Questions in words that its training never used often get the right term but another of its three sentences.",
    "It mistakes invented keys and long numbers in about one JSON request of four, and counts wrongly in about one of "
    "three.",
    "The draft guesses badly where words are copied from the prompt: JSON values, repeated text, names in code.",
    "It answers in English only; it was trained on chats of at most 2,048 tokens.",
)
_DIGEST_EXAMPLES = 10_000


def build(directory: Path) -> None:
    """Trains everything into `directory`; a run that was stopped goes on where it was."""
    from tokenizers import Tokenizer as Backend

    checkpoints = directory / "checkpoints"
    if not (directory / "target" / "tokenizer.json").exists():
        train_tokenizer(directory / "target", TOKENIZER_SEED)
    backend = Backend.from_file(str(directory / "target" / "tokenizer.json"))
    target_weights = train(Run("target", TARGET, TARGET_STAGES, TARGET_SEED, checkpoints), backend)
    train(Run("draft", DRAFT, DRAFT_STAGES, DRAFT_SEED, checkpoints), backend, make_distillation(target_weights))
    finish(directory, checkpoints)


def make_distillation(target_weights: dict[str, Tensor]) -> Loss:
    """A loss that pulls a network's probabilities towards the target's, whatever the text says."""
    teacher = Network(TARGET, TARGET_SEED)
    teacher.load_state_dict(target_weights)
    teacher.requires_grad_(False)

    def distill(logits: Tensor, inputs: Tensor, positions: Tensor, targets: Tensor) -> Tensor:
        del targets
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            wanted = teacher(inputs, positions).float().softmax(-1)
        return -(wanted * functional.log_softmax(logits.float(), -1)).sum(-1)

    return distill


def finish(directory: Path, checkpoints: Path) -> None:
    """Exports both checkpoints with the tokenizer's files, measures them and writes the card."""
    facts = {}
    for name, shape, seed in (("target", TARGET, TARGET_SEED), ("draft", DRAFT, DRAFT_SEED)):
        facts[name] = {
            **export_checkpoint(checkpoints / f"{name}.pt", shape, directory / name, averaged=False),
            "seed": seed,
        }
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        shutil.copyfile(directory / "target" / name, directory / "draft" / name)
    qualities, misses = measure(directory)
    (checkpoints / "misses.txt").write_text("\n".join(misses) + "\n", encoding="utf-8")
    write_card(directory, qualities, facts)


def measure(directory: Path) -> tuple[list[Quality], list[str]]:
    """Every bar on the exported weights, with the NumPy model; and a line for each miss."""
    target, draft = load_llama(directory / "target"), load_llama(directory / "draft")
    tokenizer = load_tokenizer(str(directory / "target"))
    qualities, misses = judge(make_local_ask(target, tokenizer), tokenizer)
    qualities += measure_agreement(target, draft, tokenizer)
    qualities += measure_acceptance(target, draft, tokenizer)
    return qualities, misses


def write_card(directory: Path, qualities: Sequence[Quality], facts: dict[str, dict[str, Any]]) -> None:
    """Writes card.json, in the form that `helpers.models.card` reads."""
    facts["corpus"] = {
        "terms": len(load_glossary()),
        "digest": _digest_corpus(),
        "digest_of": f"the first {_DIGEST_EXAMPLES} chats with seed {TARGET_SEED}",
        "tokenizer_seed": TOKENIZER_SEED,
    }
    card = {
        "origin": "measured",
        "date": datetime.date.today().isoformat(),
        "licence": "MIT",
        "quality": [{**asdict(quality), "value": round(quality.value, 4)} for quality in qualities],
        "training": facts,
        "limits": list(LIMITS),
        "digests": {name: weights_digest(directory / name) for name in ("target", "draft")},
    }
    (directory / "card.json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")


def _digest_corpus() -> str:
    digest = hashlib.sha256()
    for example in islice(stream(TARGET_SEED), _DIGEST_EXAMPLES):
        digest.update(json.dumps([example.kind, *example.messages]).encode())
    return digest.hexdigest()
