"""The whole training: target, draft distilled from it, EAGLE-3 head, measurement, card; with the shipped tokenizer.

The tokenizer was trained on an earlier state of the corpus and is kept, so that a prompt keeps its token count from one
model to the next.
"""

import datetime
import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from helpers.models.card import COURSE, Quality, weights_digest
from helpers.models.llama import load_llama
from helpers.models.tokenizer import load_tokenizer
from helpers.models.training import eagle
from helpers.models.training.agreement import measure_acceptance, measure_agreement
from helpers.models.training.corpus.mixture import WEIGHTS, stream
from helpers.models.training.evaluate import judge, make_local_ask
from helpers.models.training.glossary import load_glossary
from helpers.models.training.network import DRAFT, TARGET, Network
from helpers.models.training.train import Loss, Run, Stage, export_checkpoint, train

TARGET_SEED = 2026
DRAFT_SEED = 2027
# Attention learns to copy first, at the full rate; then the terms, which need many repetitions, at a rate so low that
# the last question about a term does not decide what the next one is answered with. Rows of 2,048 tokens come between
# the short ones, so that recall over long distances stays.
_COPYING = {"terms": 42, "records": 24, "copying": 15, "lists": 7, "recall": 5, "stories": 3, "code": 3, "talk": 0.7}
_MIXED = {"terms": 60, "records": 18, "copying": 8, "lists": 6, "recall": 3, "stories": 2, "code": 2, "talk": 0.6}
_TERMS = {"terms": 70, "records": 15, "copying": 6, "lists": 5, "recall": 2, "stories": 1.5, "code": 1.5, "talk": 0.5}
_FACTS = {"terms": 80, "records": 12, "copying": 4, "lists": 4, "recall": 1.2, "stories": 1, "code": 1, "talk": 0.3}
_LONG = {"terms": 36, "records": 14, "copying": 6, "lists": 4, "recall": 14, "stories": 1.5, "code": 1, "talk": 0.5}
_DISTILLATION = {"terms": 42, "records": 22, "copying": 14, "lists": 7, "recall": 5, "stories": 5, "code": 4, "talk": 1}


def _short_rows(
    steps: int, first_rate: float, last_rate: float, weights: Mapping[str, float] = WEIGHTS, cut_share: float = 0.0
) -> Stage:
    return Stage(steps, 16, 256, 60, first_rate, last_rate, weights, cut_share)


def _long_rows(steps: int, first_rate: float, last_rate: float) -> Stage:
    return Stage(steps, 2, 2048, 850, first_rate, last_rate, _LONG, cut_share=0.5)


def _falling_blocks(
    count: int, first_rate: float, last_rate: float, weights: Mapping[str, float], cut_share: float
) -> Iterator[Stage]:
    """Blocks of short rows with a few long ones after each, while the rate falls."""
    for block in range(count):
        first, last = (first_rate + (last_rate - first_rate) * index / count for index in (block, block + 1))
        yield _short_rows(200, first, last, weights, cut_share)
        yield _long_rows(12, last, last)


TARGET_STAGES = (
    _short_rows(700, 1.0, 1.0, _COPYING),
    *_falling_blocks(6, 1.0, 0.557, _MIXED, cut_share=0.5),
    *_falling_blocks(5, 0.4, 0.215, _TERMS, cut_share=0.7),
    *_falling_blocks(9, 0.24, 0.03, _FACTS, cut_share=0.75),
    _long_rows(40, 0.03, 0.0),
)
# The draft learns the corpus by itself first, which needs no teacher and is cheaper; copying comes late in so small a
# network. Then it learns to foresee the target.
DRAFT_STAGES = (_short_rows(756, 1.0, 1.0, _COPYING),)
DISTILLATION_STAGES = (_short_rows(450, 1.0, 1.0, _COPYING), _short_rows(400, 1.0, 0.0, _DISTILLATION))
LIMITS = (
    "It knows the glossary of the course and nothing else of the world.",
    "It does no arithmetic, and it does not translate, summarise or reason.",
    "A question in words of its own is answered with another of the term's three sentences about once in ten.",
    "It mistakes a key or a value in about one JSON request of twelve with invented keys, copies about one text of "
    "eight with a mistake, and counts or lists wrongly about once in ten.",
    "It was trained on chats of at most 2,048 tokens. Contexts up to 4,096 run, but its answers there make no sense: "
    "no fact was recalled over 3,800 tokens.",
    "It answers in English only.",
)
_TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")
_DIGEST_EXAMPLES = 10_000


@dataclass(frozen=True)
class Plan:
    """How much is trained and measured.

    Attributes:
        target: the stages of the target.
        draft: the stages of the draft on the corpus alone.
        distillation: its stages after that, towards the target.
        head: the training of the EAGLE-3 head, on the finished target.
        compile_network: whether to use torch.compile.
        share: of each bar's trials that is run.
        prompts: for the draft's agreement, of each kind of text.
    """

    target: tuple[Stage, ...] = TARGET_STAGES
    draft: tuple[Stage, ...] = DRAFT_STAGES
    distillation: tuple[Stage, ...] = DISTILLATION_STAGES
    head: eagle.Plan = eagle.SHIPPED_PLAN
    compile_network: bool = True
    share: float = 1.0
    prompts: int = 30


SHIPPED_PLAN = Plan()


def build(directory: Path, plan: Plan = SHIPPED_PLAN) -> None:
    """Trains everything into `directory`; a run that was stopped goes on where it was.

    A tokenizer that lies in directory/target already is used; else the shipped one is copied there.
    """
    from tokenizers import Tokenizer as Backend

    checkpoints = directory / "checkpoints"
    own = directory / "target" / _TOKENIZER_FILES[0]
    source = own.parent if own.exists() else COURSE / "target"
    for folder in {directory / "target", directory / "draft"} - {source}:
        folder.mkdir(parents=True, exist_ok=True)
        for file in _TOKENIZER_FILES:
            shutil.copyfile(source / file, folder / file)
    backend = Backend.from_file(str(own))
    compiled = plan.compile_network
    target = train(Run("target", TARGET, plan.target, TARGET_SEED, checkpoints), backend, compile_network=compiled)
    alone = Run("draft", DRAFT, plan.draft, DRAFT_SEED, checkpoints)
    train(alone, backend, compile_network=compiled)
    train(replace(alone, stages=plan.draft + plan.distillation), backend, make_distillation(target), compiled)
    finish(directory, checkpoints, plan)


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


def finish(directory: Path, checkpoints: Path, plan: Plan) -> None:
    """Exports both checkpoints, trains the head on the exported target, measures, and writes the card.

    checkpoints/misses.txt gets a line for each miss.
    """
    facts = {}
    for name, shape, seed in (("target", TARGET, TARGET_SEED), ("draft", DRAFT, DRAFT_SEED)):
        trained = export_checkpoint(checkpoints / f"{name}.pt", shape, directory / name, averaged=False)
        facts[name] = {**trained, "seed": seed}
    facts["eagle3"] = eagle.train_head(
        directory / "target", checkpoints, directory / "eagle3", plan.head, plan.compile_network
    )
    qualities, misses = measure(directory, plan)
    (checkpoints / "misses.txt").write_text("\n".join(misses) + "\n", encoding="utf-8")
    write_card(directory, qualities, facts)


def measure(directory: Path, plan: Plan) -> tuple[list[Quality], list[str]]:
    """Every bar on the exported weights, with the NumPy model; and a line for each miss."""
    target, draft = load_llama(directory / "target"), load_llama(directory / "draft")
    tokenizer = load_tokenizer(str(directory / "target"))
    qualities, misses = judge(make_local_ask(target, tokenizer), tokenizer, share=plan.share)
    qualities += measure_agreement(target, draft, tokenizer, plan.prompts)
    qualities += measure_acceptance(target, draft, tokenizer, every=max(1, round(1 / plan.share)))
    return qualities, misses


def write_card(directory: Path, qualities: Sequence[Quality], facts: dict[str, dict[str, Any]]) -> None:
    """Writes card.json, in the form that `helpers.models.card` reads."""
    facts["corpus"] = {
        "terms": len(load_glossary()),
        "digest": _digest_corpus(),
        "digest_of": f"the first {_DIGEST_EXAMPLES} chats with seed {TARGET_SEED}",
        "tokenizer": "trained on an earlier state of the corpus and kept since",
    }
    card = {
        "origin": "measured",
        "date": datetime.date.today().isoformat(),
        "licence": "MIT",
        "quality": [{**asdict(quality), "value": round(quality.value, 4)} for quality in qualities],
        "training": facts,
        "limits": list(LIMITS),
        "digests": {name: weights_digest(directory / name) for name in ("target", "draft", "eagle3")},
    }
    (directory / "card.json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")


def _digest_corpus() -> str:
    digest = hashlib.sha256()
    for example in islice(stream(TARGET_SEED), _DIGEST_EXAMPLES):
        digest.update(json.dumps([example.kind, *example.messages]).encode())
    return digest.hexdigest()
