"""Verification of proposed tokens: one forward pass of the target judges several at once, and nothing is lost.

A draft proposes k tokens. The target's pass over them gives k + 1 distributions, one after each prefix. Greedy requests
keep the proposals up to the first that is not the target's best token. Sampled requests keep each with a probability
that makes the outcome distributed exactly as if the target had been sampled alone (rejection sampling). Either way one
token more than was kept comes out: the target's own, where the draft ended or failed.

Source: Leviathan, Kalman, Matias, "Fast Inference from Transformers via Speculative Decoding", 2023,
https://arxiv.org/abs/2211.17192 (equation numbers below are that paper's).
"""

import numpy as np
from numpy.typing import NDArray

from helpers.errors import UsageError
from helpers.nano.request import Draft

Probabilities = NDArray[np.floating]


def verify(target: Probabilities, draft: Draft, random: np.random.Generator) -> list[int]:
    """Tokens that come out of a step, 1 to k + 1, distributed as the target's own.

    Proposal x_i, drawn from q_i, is kept with probability min(1, p_i(x_i) / q_i(x_i)). At the first that is not, the
    token comes from what the target has and the draft lacks, `residual(p_i, q_i)`. If all are kept, one more is drawn
    from the target's last distribution. Greedy is the case where each p is 1 at the best token: a proposal is kept if
    it is that token, and if not, that token comes out.

    Args:
        target: the target's distribution p after each prefix, as sampling would use it (temperature and cuts applied),
            [k + 1, vocabulary].
        draft: the proposals, and what they were drawn from; where that is None they were chosen without chance, as by
            an n-gram look-up or by taking a draft model's best token, and q is 1 at the proposal.
        random: the request's own generator.
    """
    for index, token in enumerate(draft.ids):
        wanted = target[index]
        offered = 1.0 if draft.probabilities is None else float(draft.probabilities[index, token])
        if random.random() * offered < wanted[token]:
            continue
        given = _one_hot(len(wanted), token) if draft.probabilities is None else draft.probabilities[index]
        return [*draft.ids[:index], _draw(residual(wanted, given), random)]
    return [*draft.ids, _draw(target[len(draft.ids)], random)]


def residual(target: Probabilities, proposal: Probabilities) -> NDArray[np.float64]:
    """max(0, p - q), made a distribution: where rejected proposals are drawn again from."""
    missing: NDArray[np.float64] = np.maximum(target.astype(np.float64) - proposal, 0.0)
    if not missing.any():
        # p = q: nothing is rejected but by rounding, and a draw from p is right then.
        missing = target.astype(np.float64)
    shares: NDArray[np.float64] = missing / missing.sum()
    return shares


def acceptance_probability(target: Probabilities, proposal: Probabilities) -> float:
    """How likely a token drawn from q is kept: the sum of min(p, q) (theorem 3.5)."""
    return float(np.minimum(target, proposal).sum())


def expected_acceptance_length(rate: float, draft_tokens: int) -> float:
    """Tokens that one target pass emits on average, its own included: (1 - a^(k+1)) / (1 - a) (equation 1).

    Args:
        rate: probability a that a proposal is kept, given that those before it were; assumed the same at each place.
        draft_tokens: k.

    Raises:
        UsageError: the rate is no probability, or k is negative.
    """
    if not 0.0 <= rate <= 1.0 or draft_tokens < 0:
        raise UsageError(f"a rate of {rate} with {draft_tokens} draft tokens", "a rate lies between 0 and 1, k from 0")
    return float(sum(rate**place for place in range(draft_tokens + 1)))


def expected_speedup(rate: float, draft_tokens: int, draft_cost: float, verify_cost: float = 1.0) -> float:
    """How many times as fast decoding becomes: emitted tokens over the time they take (theorem 3.8).

    Args:
        rate: as above.
        draft_tokens: k.
        draft_cost: time to propose one token, over that of a plain target step.
        verify_cost: time of the target's pass over k + 1 tokens, over that of a plain step. The paper takes 1, true
            where reading weights is all the work; it is more where arithmetic counts.
    """
    return expected_acceptance_length(rate, draft_tokens) / (draft_tokens * draft_cost + verify_cost)


def _one_hot(size: int, token: int) -> NDArray[np.float64]:
    shares = np.zeros(size)
    shares[token] = 1.0
    return shares


def _draw(shares: Probabilities, random: np.random.Generator) -> int:
    cumulative = np.cumsum(shares, dtype=np.float64)
    found = int(np.searchsorted(cumulative, random.random() * cumulative[-1], side="right"))
    return min(found, len(shares) - 1)
