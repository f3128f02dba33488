"""Training of the EAGLE-3 head: rollouts of the target, then training-time test on them; checkpoints, resume.

python -m helpers.models.training.eagle TARGET OUT     trains into OUT/eagle3 (needs PyTorch)
"""

import json
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from helpers.models.training.eagle_network import FEATURE_LAYERS, Head, export_head
from helpers.models.training.muon import Muon
from helpers.models.training.network import Network, load_network
from helpers.models.training.rollouts import write_rollouts
from helpers.models.training.tokenizer import END_OF_TEXT_ID

SEED = 2028
UNROLLED = 4
"""Steps of training-time test: as many as tokens are proposed at a time."""
_STEP_WEIGHT = 0.8
"""Each further step counts this much less, as in the authors' code: it is reached less often."""
_MATRIX_RATE, _NORM_RATE = 0.015, 2e-3
# More of what a head guesses badly than users ask for: names and values that the prompt gives, and stories.
_WEIGHTS = {"terms": 46, "records": 17, "lists": 9, "copying": 8, "recall": 3, "stories": 11, "code": 5, "talk": 1}
_LENGTH = 256
_CHECKPOINT_EVERY_S = 120.0
_LOG_EVERY = 20


@dataclass(frozen=True)
class Plan:
    """How much to train.

    Attributes:
        chats: to learn from.
        answered: how many of them the target answers itself.
        steps: of the optimizer.
        rows: of 256 tokens in a batch.
        hold_share: of the steps at the full rate; after them it falls to zero.
    """

    chats: int = 14_000
    answered: int = 2_800
    steps: int = 650
    rows: int = 12
    hold_share: float = 0.3


SHIPPED_PLAN = Plan()


def train_head(
    target_directory: Path, checkpoints: Path, directory: Path, plan: Plan, compile_network: bool = True
) -> dict[str, float]:
    """Trains, or goes on training, exports, and returns the facts for the card.

    Args:
        target_directory: the target's checkpoint with its tokenizer, in Hugging Face layout.
        checkpoints: for rollouts, checkpoint and log.
        directory: for the head.
        plan: how much.
        compile_network: whether to use torch.compile (needs a C++ compiler).
    """
    from tokenizers import Tokenizer as Backend

    checkpoints.mkdir(parents=True, exist_ok=True)
    target = load_network(target_directory)
    rollouts = checkpoints / "rollouts.npz"
    if not rollouts.exists():
        backend = Backend.from_file(str(target_directory / "tokenizer.json"))
        counts = {"chats": plan.chats, "answered": plan.answered}
        write_rollouts(target, backend, rollouts, **counts, weights=_WEIGHTS, length=_LENGTH, seed=SEED)
    with np.load(rollouts) as data:
        texts, kinds = torch.from_numpy(data["ids"].astype(np.int64)), torch.from_numpy(data["kinds"].astype(np.int64))
    head = Head(target, SEED)
    muon = Muon(head.list_matrices())
    norms = [parameter for parameter in head.parameters() if parameter.ndim == 1]
    adam = torch.optim.AdamW(norms, lr=_NORM_RATE, betas=(0.9, 0.98), weight_decay=0.0)
    step, seconds = 0, 0.0
    path = checkpoints / "eagle.pt"
    if path.exists():
        state = torch.load(path)
        head.load_state_dict(state["head"])
        adam.load_state_dict(state["adam"])
        muon.buffers = state["muon"]
        step, seconds = state["step"], state["seconds"]
    compute = torch.compile(make_loss(target, head), dynamic=False) if compile_network else make_loss(target, head)
    saved_at = last = time.monotonic()
    hits = torch.zeros(UNROLLED)
    losses: list[float] = []
    while step < plan.steps:
        batch = _draw(texts, kinds, plan.rows, SEED * 1_000_003 + step)
        loss, same = compute(*batch)
        loss.backward()
        rate = min(1.0, (1 - step / plan.steps) / (1 - plan.hold_share))
        for group in adam.param_groups:
            group["lr"] = _NORM_RATE * rate
        adam.step()
        adam.zero_grad(set_to_none=True)
        muon.step(_MATRIX_RATE * rate)
        step += 1
        losses.append(loss.item())
        hits += same / _LOG_EVERY
        now = time.monotonic()
        seconds, last = seconds + now - last, now
        if step % _LOG_EVERY == 0:
            entry: dict[str, Any] = {"step": step, "seconds": round(seconds, 1), "rate": round(rate, 3)}
            entry |= {"loss": round(sum(losses) / len(losses), 4), "same": [round(x, 3) for x in hits.tolist()]}
            with (checkpoints / "eagle.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps(entry) + "\n")
            losses.clear()
            hits.zero_()
        if now - saved_at > _CHECKPOINT_EVERY_S or step == plan.steps:
            saved_at = now
            partial = path.with_suffix(".partial")
            state = {"head": head.state_dict(), "adam": adam.state_dict(), "muon": muon.buffers}
            torch.save({**state, "step": step, "seconds": seconds}, partial)
            partial.replace(path)
    export_head(head.state_dict(), head.shape, directory)
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        shutil.copyfile(target_directory / name, directory / name)
    return {"steps": step, "chats": plan.chats, "seconds": round(seconds), "seed": SEED}


def make_loss(target: Network, head: Head) -> Any:
    """From a batch to its loss, and to the share of each step's best tokens that are the target's best.

    At flat position `at` of ids [rows, length] the target foresees a token of its answer; step j foresees the same
    token from j + 1 positions before, and is pulled towards the target's distribution.
    """

    def compute(ids: Tensor, at: Tensor, learnt: Tensor) -> tuple[Tensor, Tensor]:
        with torch.autocast("cpu", torch.bfloat16):
            with torch.no_grad():
                states = target.run_layers(ids)
                wanted = target.read_out(states[-1], at).float().softmax(-1)
                best = wanted.argmax(-1)
                features = torch.cat([states[layer] for layer in FEATURE_LAYERS], -1)
            outputs = head(ids, features, UNROLLED)
            chats = ((ids == END_OF_TEXT_ID).cumsum(1) - (ids == END_OF_TEXT_ID).long()).flatten()
            column = at % ids.shape[1]
            total = torch.zeros(())
            same = []
            for step, output in enumerate(outputs):
                base = (at - step - 1).clamp(min=0)
                usable = learnt & (column > step) & (chats[base] == chats[at])
                logits = head.read_out(output, base)
                entropy = -(wanted * functional.log_softmax(logits.float(), -1)).sum(-1)
                total = total + _STEP_WEIGHT**step * (entropy * usable).sum() / usable.sum()
                same.append(((logits.argmax(-1) == best) & usable).sum() / usable.sum())
        return total, torch.stack(same)

    return compute


def _draw(texts: Tensor, kinds: Tensor, rows: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Rows of the rollouts, half as many flat positions as tokens, and which of these are learnt."""
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.randint(len(texts), (rows,), generator=generator)
    ids, targets = texts[chosen, :-1], kinds[chosen, 1:]
    at = torch.zeros(rows * ids.shape[1] // 2, dtype=torch.long)
    found = targets.flatten().nonzero().squeeze(1)[: len(at)]
    at[: len(found)] = found
    return ids.contiguous(), at, torch.arange(len(at)) < len(found)
