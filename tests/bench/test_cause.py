import numpy as np
import pytest

from helpers.bench.cause import NotIdentifiable, StepPoint, fit_step_time
from helpers.bench.roofline import ModelShape, StepCost, decode_step, prefill_step

SHAPE = ModelShape(
    layers=12, hidden=1024, heads=16, kv_heads=16, head_size=64, intermediate=2816, vocabulary=2048, tied=True
)
FIXED_S, BANDWIDTH, RATE = 2e-3, 20e9, 100e9


def true_s(cost: StepCost) -> float:
    return FIXED_S + cost.bytes / BANDWIDTH + cost.flops / RATE


def sweep(noise: float = 0.0, seed: int = 0) -> list[StepPoint]:
    """Decode steps over batch and context in two precisions."""
    rng = np.random.default_rng(seed)
    points = []
    for precision in ("f32", "q8_0"):
        for batch in (1, 4, 16):
            for context in (64, 1024, 4096):
                cost = decode_step(SHAPE, precision, batch=batch, context_tokens=context)
                label = f"{precision}, batch {batch}, {context} tokens"
                points.append(StepPoint(label, cost, true_s(cost) * (1 + noise * rng.standard_normal())))
    return points


def test_exact_times_give_the_costs_back() -> None:
    fit = fit_step_time(sweep())
    assert fit.fixed_s.estimate == pytest.approx(FIXED_S)
    assert 1 / fit.seconds_per_byte.estimate == pytest.approx(BANDWIDTH)
    assert 1 / fit.seconds_per_flop.estimate == pytest.approx(RATE)
    assert fit.worst_relative_error < 1e-9


def test_shares_add_up_and_name_the_largest_term() -> None:
    fit = fit_step_time(sweep())
    assert all(share.fixed + share.bytes + share.flops == pytest.approx(1) for share in fit.shares)
    assert fit.shares[0].largest == "bytes"  # one sequence in f32
    assert fit.shares[15].label == "q8_0, batch 16, 64 tokens"
    assert fit.shares[15].largest == "FLOPs"


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    fits = [fit_step_time(sweep(noise=0.03, seed=seed)) for seed in range(40)]
    assert sum(fit.fixed_s.contains(FIXED_S) for fit in fits) >= 34
    assert sum(fit.seconds_per_byte.contains(1 / BANDWIDTH) for fit in fits) >= 34
    assert sum(fit.seconds_per_flop.contains(1 / RATE) for fit in fits) >= 34
    assert all(fit.seconds_per_byte.low < fit.seconds_per_byte.high for fit in fits)


def test_no_cost_is_ever_negative() -> None:
    # Faster than any sum of positive terms in one point: unconstrained least squares would go below zero.
    points = [StepPoint(p.label, p.cost, p.cost.bytes / BANDWIDTH) for p in sweep()]
    points[0] = StepPoint("odd", points[0].cost, points[0].step_s * 0.8)
    fit = fit_step_time(points)
    assert min(fit.fixed_s.low, fit.seconds_per_byte.low, fit.seconds_per_flop.low) >= 0


def test_a_batch_sweep_at_one_length_is_refused_with_what_to_add() -> None:
    points = []
    for batch in (1, 2, 4, 8, 16, 32):
        cost = decode_step(SHAPE, "f32", batch=batch, context_tokens=256)
        points.append(StepPoint(f"batch {batch}", cost, true_s(cost)))
    with pytest.raises(NotIdentifiable) as refusal:
        fit_step_time(points)
    assert "cannot tell" in refusal.value.what
    assert "context lengths" in refusal.value.next_command


def test_too_few_points_are_refused() -> None:
    with pytest.raises(NotIdentifiable, match="4 points"):
        fit_step_time(sweep()[:4])


def test_a_fit_predicts_a_step_it_has_not_seen() -> None:
    cost = prefill_step(SHAPE, "f32", prompt_tokens=300)
    assert fit_step_time(sweep()).predict_s(cost) == pytest.approx(true_s(cost))
