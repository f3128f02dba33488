"""Stars from the learner's own numbers, by a stated rule, beside the stars others gave without one."""

from collections.abc import Mapping

SHARES_OF_BEST = ((0.90, 5), (0.67, 4), (0.50, 3), (0.33, 2))
"""At least this share of the best measured rate -> stars; below the last, one star."""

RULE = (
    "Five stars for a rate within 10 % of the best one measured here; four from two thirds of it, three from half, "
    "two from a third, one below. Only runs of the same model on the same machine under the same load are starred "
    "together; where precisions differ, the name says so."
)
"""The rule in words, for reports."""


def stars(rates: Mapping[str, float]) -> dict[str, int]:
    """Stars of each name from its rate (tokens a second, more is better); see `RULE`."""
    best = max(rates.values(), default=0.0)
    return {name: _of_share(rate / best) if best > 0 else 1 for name, rate in rates.items()}


def _of_share(share: float) -> int:
    return next((count for least, count in SHARES_OF_BEST if share >= least), 1)
