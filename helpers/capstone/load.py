"""The hidden load: prompts and their order, drawn from a seed that nobody knows before the judgement.

A deployment is to fit the brief, not one list of prompts. The seed is kept with the result, so that the same load can
be played again.
"""

import random

from helpers.bench.tokens import TokenCounter
from helpers.bench.workloads import Workload, first_words, given_prompts, make_text
from helpers.capstone.brief import Load


def make_texts(load: Load, tokens: TokenCounter, seed: int, count: int) -> tuple[list[str], list[str]]:
    """Prompts of a load.

    Args:
        load: of the brief.
        tokens: how the model counts.
        seed: the same seed gives the same prompts.
        count: of judged prompts.

    Returns:
        The prompts before the load, one for each preamble that is known from the start, and those of the load.
    """
    draw = random.Random(f"{seed}-order")
    if load.texts:
        from helpers.models.prompts import prompt_class

        known = prompt_class(load.texts)
        draw.shuffle(known)
        return known[-1:], [known[number % len(known)] for number in range(count)]
    if load.preambles:
        groups = [draw.randrange(load.preambles) for _ in range(count)]
        early = list(range(load.preambles))
    else:
        groups = [number // load.per_preamble for number in range(count)]
        early = []
    preambles = {
        group: make_text(
            tokens, load.preamble_tokens, random.Random(f"{seed}-preamble-{group}"), first_words(seed, group)
        )
        for group in sorted({*groups, *early})
    }

    def text(group: int, number: int) -> str:
        own = make_text(tokens, load.own_tokens, random.Random(f"{seed}-own-{number}"), first_words(seed + 1, number))
        return f"{preambles[group]} {own}"

    before = [text(group, number) for number, group in enumerate(early)]
    return before, [text(group, number) for number, group in enumerate(groups, start=len(early))]


def make_workload(load: Load, texts: list[str], name: str) -> Workload:
    """These prompts with the load's answers."""
    return given_prompts(texts, load.output_tokens, name=name, fixed_output=load.fixed_output)
