"""How often the draft would have guessed the target's next token: by kind of text, and by prompt class."""

import random
from collections.abc import Sequence

from helpers.models.card import Quality
from helpers.models.llama import Llama
from helpers.models.prompts import PROMPT_CLASSES, prompt_class
from helpers.models.tokenizer import Tokenizer
from helpers.models.training.corpus.mixture import KINDS, make_example

_SEED = 30_260
_MAX_TOKENS = 96


def measure_agreement(target: Llama, draft: Llama, tokenizer: Tokenizer, prompts: int = 20) -> list[Quality]:
    """Shares of the target's greedy tokens that are the draft's best too, overall and by kind (held-out wording)."""
    rng = random.Random(_SEED)
    qualities, all_same, all_count = [], 0, 0
    for kind in KINDS:
        same = count = 0
        for _ in range(prompts):
            example = make_example(rng, kind, held_out=True)
            messages = [message for message in example.messages if message["role"] != "assistant"][:1]
            hits, size = count_hits(target, draft, tokenizer, messages[0]["content"], temperature=0.0, seed=0)
            same, count = same + hits, count + size
        qualities.append(Quality(f"draft agrees with the target, {kind}", same / count, 0.65, count))
        all_same, all_count = all_same + same, all_count + count
    return [
        Quality("draft agrees with the target's greedy next token", all_same / all_count, 0.75, all_count),
        *qualities,
    ]


def measure_acceptance(target: Llama, draft: Llama, tokenizer: Tokenizer, every: int = 1) -> list[Quality]:
    """The same by prompt class, each at its own temperature, and how far the share falls from first to last.

    Args:
        target, draft, tokenizer: of one family.
        every: 2 takes every second prompt of a class, and so on.
    """
    qualities = []
    for name, temperature in PROMPT_CLASSES.items():
        same = count = 0
        for index, prompt in enumerate(prompt_class(name)[::every]):
            hits, size = count_hits(target, draft, tokenizer, prompt, temperature=temperature, seed=index)
            same, count = same + hits, count + size
        qualities.append(Quality(f"draft guesses accepted, {name} prompts", same / count, None, count))
    fall = qualities[0].value - qualities[-1].value
    return [
        *qualities,
        Quality("fall of acceptance, predictable to free", fall, 0.15, sum(q.trials for q in qualities)),
    ]


def count_hits(
    target: Llama, draft: Llama, tokenizer: Tokenizer, prompt: str, *, temperature: float, seed: int
) -> tuple[int, int]:
    """Tokens of the target's answer to one prompt that the draft guessed, and all of them."""
    ids = tokenizer.encode(tokenizer.render_chat([{"role": "user", "content": prompt}]))
    output: list[int] = []
    for token in target.generate(ids, _MAX_TOKENS, temperature=temperature, seed=seed):
        output.append(token)
        if token == tokenizer.end_id:
            break
    return _count_same(draft, ids, output), len(output)


def _count_same(draft: Llama, ids: Sequence[int], output: Sequence[int]) -> int:
    read = [*ids, *output[:-1]]
    guesses = draft.forward(read, draft.new_cache(len(read)))[len(ids) - 1 :].argmax(axis=-1)
    return int((guesses == output).sum())
