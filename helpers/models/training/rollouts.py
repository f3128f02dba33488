"""The text that an EAGLE-3 head is trained on: prompts of the corpus, many of them answered by the target itself.

The head has to foresee what the target says. Its answers are greedy, but sampled at temperature 1 for stories, the kind
that is sampled when it is measured too. Answers cost time, so the other prompts keep the corpus's answer, which the
target was trained to give; what the head learns at each place is the target's distribution in any case. Batches of
prompts are padded on the left with end-of-text tokens, which nothing looks at.
"""

import functools
import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from helpers.models.prompts import PROMPT_CLASSES, prompt_class
from helpers.models.training.batches import KIND_NAMES
from helpers.models.training.corpus.mixture import Message, make_example
from helpers.models.training.network import NORM_EPSILON, Layer, Network, make_rotation, rotate
from helpers.models.training.tokenizer import END_OF_TEXT_ID, IM_END_ID, IM_START_ID

MAX_ANSWER_TOKENS = 160
SAMPLED_KINDS = ("stories",)
_BATCH = 96
_KEEP_SHARE = 0.75
_DISTANCE_WORDS = 60

Ids = npt.NDArray[np.int64]


def write_rollouts(
    network: Network,
    tokenizer: Any,
    path: Path,
    *,
    chats: int,
    answered: int,
    weights: Mapping[str, float],
    length: int,
    seed: int,
) -> None:
    """Writes chats as packed rows: `ids` and `kinds` (0: not to be learnt), both [rows, length + 1].

    Args:
        network: the target.
        tokenizer: of the `tokenizers` package.
        path: of the .npz file.
        chats: how many.
        answered: how many of them the target answers.
        weights: chats of each kind, relative to each other.
        length: of a row.
        seed: of prompts and sampling.
    """
    rng = random.Random(seed)
    kinds = rng.choices(list(weights), list(weights.values()), k=chats)
    drawn = [_draw_chat(tokenizer, rng, kind) for kind in kinds]
    prompts, answers = [prompt for prompt, _ in drawn], [answer for _, answer in drawn]
    torch.manual_seed(seed)
    order = sorted(range(answered), key=lambda index: len(prompts[index]))
    for start in range(0, answered, _BATCH):
        chosen = order[start : start + _BATCH]
        sampled = torch.tensor([kinds[index] in SAMPLED_KINDS for index in chosen])
        own = answer_all(network, [prompts[index] for index in chosen], sampled)
        for index, answer in zip(chosen, own, strict=True):
            answers[index] = answer
    rows = []
    for kind, prompt, answer in zip(kinds, prompts, answers, strict=True):
        learnt = [1 + KIND_NAMES.index(kind)] * len(answer)
        rows.append(([*prompt, *answer, END_OF_TEXT_ID], [0] * len(prompt) + learnt + [0]))
    ids, learnt_kinds = _pack(rows, length + 1)
    partial = path.with_suffix(".partial.npz")
    np.savez(partial, ids=ids.astype(np.int16), kinds=learnt_kinds.astype(np.int8))
    partial.replace(path)


@torch.no_grad()  # type: ignore[untyped-decorator]
def answer_all(network: Network, prompts: Sequence[Sequence[int]], sampled: Tensor) -> list[list[int]]:
    """Answers up to the end token, which is part of them, or to MAX_ANSWER_TOKENS.

    Args:
        network: the target.
        prompts: token ids, best of about the same length.
        sampled: true for prompts whose answer is drawn at temperature 1, [prompts].
    """
    width = max(map(len, prompts))
    ids = torch.tensor([[END_OF_TEXT_ID] * (width - len(prompt)) + list(prompt) for prompt in prompts])
    capacity = width + MAX_ANSWER_TOKENS
    shape = network.shape
    cache = torch.zeros(shape.layers, 2, len(prompts), shape.kv_heads, capacity, shape.head_size)
    # Padding sees itself, or its attention would divide by nothing.
    visible = torch.arange(width)[None, :] >= torch.tensor([width - len(prompt) for prompt in prompts])[:, None]
    mask = (torch.ones(width, width, dtype=torch.bool).tril() & visible[:, None, :]) | torch.eye(
        width, dtype=torch.bool
    )
    answers: list[list[int]] = [[] for _ in prompts]
    rows, running = list(range(len(prompts))), [True] * len(prompts)
    for start in (0, *range(width, capacity - 1)):
        logits = _run(network, ids, cache, start, mask)
        drawn = torch.multinomial(logits.softmax(-1), 1).squeeze(1)
        tokens = torch.where(sampled, drawn, logits.argmax(-1))
        for at, token in enumerate(tokens.tolist()):
            if running[at]:
                answers[rows[at]].append(token)
                running[at] = token != IM_END_ID
        if not any(running):
            break
        # Rows that have ended are computed on until a quarter has: taking them out copies the whole cache.
        if sum(running) <= _KEEP_SHARE * len(running):
            keep = [at for at, runs in enumerate(running) if runs]
            cache, visible, sampled, tokens = cache[:, :, keep], visible[keep], sampled[keep], tokens[keep]
            rows, running = [rows[at] for at in keep], [True] * len(keep)
        visible = functional.pad(visible, (0, 1), value=True)
        mask, ids = visible[:, None, :], tokens[:, None]
    return answers


def _run(network: Network, ids: Tensor, cache: Tensor, start: int, mask: Tensor) -> Tensor:
    """Logits [rows, vocabulary] after the last of the ids [rows, new]; mask [rows, new, start + new]: what is seen."""
    end = start + ids.shape[1]
    cosine, sine = (table[start:end] for table in make_rotation(end, network.shape))
    hidden = functional.embedding(ids, network.embedding)
    for layer, stored in zip(network.layers, cache, strict=True):
        hidden = _run_layer(layer, hidden, cosine, sine, stored[:, :, :, :end], start, mask)
    final = functional.rms_norm(hidden[:, -1], (network.shape.width,), network.final_norm, NORM_EPSILON)
    return functional.linear(final, network.embedding)


def _run_layer(
    layer: Layer, hidden: Tensor, cosine: Tensor, sine: Tensor, stored: Tensor, start: int, mask: Tensor
) -> Tensor:
    shape = layer.shape
    rows, count, width = hidden.shape
    normed = functional.rms_norm(hidden, (width,), layer.attention_norm, NORM_EPSILON)
    query_size, key_size = shape.heads * shape.head_size, shape.kv_heads * shape.head_size
    query, key, value = layer.query_key_value(normed).split([query_size, key_size, key_size], -1)
    stored[0, :, :, start:] = rotate(key.view(rows, count, shape.kv_heads, -1).transpose(1, 2), cosine, sine)
    stored[1, :, :, start:] = value.view(rows, count, shape.kv_heads, -1).transpose(1, 2)
    query = rotate(query.view(rows, count, shape.heads, -1).transpose(1, 2), cosine, sine)
    mixed = functional.scaled_dot_product_attention(
        query, stored[0], stored[1], attn_mask=mask[:, None], enable_gqa=True
    )
    hidden = hidden + layer.attention_output(mixed.transpose(1, 2).reshape(rows, count, query_size))
    normed = functional.rms_norm(hidden, (width,), layer.feed_forward_norm, NORM_EPSILON)
    gate, up = layer.gate_up(normed).chunk(2, -1)
    return hidden + layer.down(functional.silu(gate) * up)


def _draw_chat(tokenizer: Any, rng: random.Random, kind: str) -> tuple[list[int], list[int]]:
    """Prompt and answer in a wording of the training, but no prompt that acceptance is measured on."""
    example = make_example(rng, kind, distance_words=rng.randint(0, _DISTANCE_WORDS))
    while example.messages[-2]["content"] in _measured_prompts():
        example = make_example(rng, kind, distance_words=rng.randint(0, _DISTANCE_WORDS))
    ids: list[int] = []
    for message in example.messages[:-1]:
        ids += _encode_message(tokenizer, message)
    answer = [*tokenizer.encode(example.messages[-1]["content"]).ids, IM_END_ID]
    return [*ids, IM_START_ID, *tokenizer.encode("assistant\n").ids], answer


@functools.cache
def _measured_prompts() -> frozenset[str]:
    return frozenset(prompt for name in PROMPT_CLASSES for prompt in prompt_class(name))


def _encode_message(tokenizer: Any, message: Message) -> Iterator[int]:
    yield IM_START_ID
    yield from tokenizer.encode(f"{message['role']}\n").ids
    yield from tokenizer.encode(message["content"]).ids
    yield IM_END_ID
    yield from tokenizer.encode("\n").ids


def _pack(chats: Sequence[tuple[list[int], list[int]]], size: int) -> tuple[Ids, Ids]:
    """Whole chats fitted into rows of `size`; the rest of a row is end-of-text tokens. Longer chats are left out."""
    rows: list[tuple[list[int], list[int]]] = []
    open_rows: list[tuple[list[int], list[int]]] = []
    for ids, kinds in chats:
        if len(ids) > size:
            continue
        row = next((row for row in open_rows if len(row[0]) + len(ids) <= size), None)
        if row is None:
            row = ([], [])
            rows.append(row)
            open_rows = [*open_rows[-15:], row]
        row[0].extend(ids)
        row[1].extend(kinds)
    packed_ids = np.full((len(rows), size), END_OF_TEXT_ID, dtype=np.int64)
    packed_kinds = np.zeros((len(rows), size), dtype=np.int64)
    for index, (ids, kinds) in enumerate(rows):
        packed_ids[index, : len(ids)] = ids
        packed_kinds[index, : len(kinds)] = kinds
    return packed_ids, packed_kinds
