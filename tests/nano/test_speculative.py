"""Verification loses nothing: what comes out is distributed as the target's own, whatever proposes."""

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from helpers.errors import UsageError
from helpers.nano.request import Draft
from helpers.nano.speculative import (
    acceptance_probability,
    expected_acceptance_length,
    expected_speedup,
    residual,
    verify,
)

VOCABULARY, DRAFTED, TRIALS = 5, 2, 6_000
# The 0.999 quantile of chi-square with 24 degrees of freedom: exceeded by chance once in a thousand.
LIMIT_24 = 51.2

Shares = NDArray[np.float64]
Verify = Callable[[Shares, Draft, np.random.Generator], list[int]]


def distributions(seed: int, rows: int) -> Shares:
    return np.random.default_rng(seed).dirichlet(np.full(VOCABULARY, 0.7), size=rows)


def draw(shares: Shares, random: np.random.Generator) -> int:
    return int(np.searchsorted(shares.cumsum(), random.random()))


def accept_if_argmax(target: Shares, draft: Draft, random: np.random.Generator) -> list[int]:
    """The planted mistake: right for greedy requests, and biased towards likely tokens for sampled ones."""
    for index, token in enumerate(draft.ids):
        if token != target[index].argmax():
            return [*draft.ids[:index], draw(target[index], random)]
    return [*draft.ids, draw(target[-1], random)]


def chi_square(verify: Verify, sampled: bool, seed: int) -> float:
    """How far the first two tokens are from the target's own distribution; 24 degrees of freedom.

    The target is a chain: the second token's distribution depends on the first. Each trial drafts two tokens and goes
    on, as an engine would, until two have come out.
    """
    target, proposal = distributions(seed, VOCABULARY + 1), distributions(seed + 100, VOCABULARY + 1)
    random = np.random.default_rng(seed)
    counts: Counter[tuple[int, ...]] = Counter()
    for _ in range(TRIALS):
        output: list[int] = []
        while len(output) < 2:
            state, ids, p, q = (output[-1] if output else VOCABULARY), [], [], []
            for _ in range(DRAFTED):
                row = proposal[state]
                p.append(target[state])
                q.append(row)
                state = draw(row, random) if sampled else int(row.argmax())
                ids.append(state)
            p.append(target[state])
            draft = Draft(tuple(ids), np.array(q) if sampled else None)
            output += verify(np.array(p), draft, random)
        counts[tuple(output[:2])] += 1
    expected = TRIALS * target[VOCABULARY][:, None] * target[:VOCABULARY]
    found = np.array([[counts[first, second] for second in range(VOCABULARY)] for first in range(VOCABULARY)])
    return float(((found - expected) ** 2 / np.maximum(expected, 1e-9)).sum())


@pytest.mark.parametrize("sampled", [True, False], ids=["sampled proposals", "certain proposals"])
def test_what_comes_out_is_distributed_as_the_target(sampled: bool) -> None:
    assert chi_square(verify, sampled, seed=3) < LIMIT_24


@pytest.mark.parametrize("sampled", [True, False], ids=["sampled proposals", "certain proposals"])
def test_accepting_only_the_best_token_is_caught(sampled: bool) -> None:
    # Sampled proposals that are kept only if they are the best token: the best comes too seldom or too often.
    assert chi_square(accept_if_argmax, sampled, seed=3) > 4 * LIMIT_24


def test_greedy_keeps_what_agrees_and_adds_the_targets_own_token() -> None:
    target = np.eye(VOCABULARY)[[2, 4, 1]]
    random = np.random.default_rng(0)
    assert verify(target, Draft((2, 4)), random) == [2, 4, 1]
    assert verify(target, Draft((2, 3)), random) == [2, 4]
    assert verify(target, Draft((0, 4)), random) == [2]
    assert verify(target[:1], Draft(()), random) == [2]


def test_greedy_is_the_same_for_drawn_proposals() -> None:
    target = np.eye(VOCABULARY)[[2, 4, 1]]
    drawn_from = np.full((2, VOCABULARY), 1 / VOCABULARY)
    for seed in range(20):
        assert verify(target, Draft((2, 4), drawn_from), np.random.default_rng(seed)) == [2, 4, 1]
        assert verify(target, Draft((1, 4), drawn_from), np.random.default_rng(seed)) == [2]


def test_a_token_that_the_target_excludes_never_comes_out() -> None:
    target = np.array([[0.0, 0.5, 0.5, 0.0, 0.0]] * 2)
    random = np.random.default_rng(1)
    for _ in range(200):
        assert set(verify(target, Draft((0,)), random)) <= {1, 2}


def test_the_share_kept_is_the_sum_of_the_lesser_probabilities() -> None:
    target, proposal = distributions(8, 2), distributions(9, 1)
    random = np.random.default_rng(2)
    kept = 0
    for _ in range(TRIALS):
        token = draw(proposal[0], random)
        kept += len(verify(target, Draft((token,), proposal), random)) == 2
    share = acceptance_probability(target[0], proposal[0])
    assert abs(kept / TRIALS - share) < 4 * (share * (1 - share) / TRIALS) ** 0.5


def test_the_residual_is_what_the_draft_lacks() -> None:
    assert residual(np.array([0.5, 0.3, 0.2]), np.array([0.2, 0.6, 0.2])).tolist() == [1.0, 0.0, 0.0]
    same = np.array([0.25, 0.75])
    assert residual(same, same).tolist() == [0.25, 0.75]


@pytest.mark.parametrize(("rate", "drafted", "length"), [(0.0, 4, 1.0), (1.0, 4, 5.0), (0.8, 4, 3.3616), (0.5, 0, 1.0)])
def test_expected_acceptance_length(rate: float, drafted: int, length: float) -> None:
    assert expected_acceptance_length(rate, drafted) == pytest.approx(length)
    if rate < 1:
        assert length == pytest.approx((1 - rate ** (drafted + 1)) / (1 - rate))


def test_the_expected_length_is_what_simulation_gives() -> None:
    random = np.random.default_rng(4)
    hits = random.random((TRIALS, 4)) < 0.7
    emitted = 1 + np.cumprod(hits, axis=1).sum(axis=1)
    assert emitted.mean() == pytest.approx(expected_acceptance_length(0.7, 4), abs=0.05)


def test_expected_speedup_weighs_the_drafts_cost() -> None:
    assert expected_speedup(0.8, 4, 0.0) == pytest.approx(3.3616)
    assert expected_speedup(0.8, 4, 0.1) == pytest.approx(3.3616 / 1.4)
    assert expected_speedup(0.0, 4, 0.1) < 1
    assert expected_speedup(0.8, 4, 0.1, verify_cost=2.0) == pytest.approx(3.3616 / 2.4)


@pytest.mark.parametrize(("rate", "drafted"), [(1.2, 4), (-0.1, 4), (0.5, -1), (float("nan"), 1)])
def test_impossible_rates_are_refused(rate: float, drafted: int) -> None:
    with pytest.raises(UsageError, match="rate"):
        expected_acceptance_length(rate, drafted)
