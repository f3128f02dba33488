"""Points and prices, by hand."""

import pytest

from helpers.capstone.brief import find_brief
from helpers.capstone.cost import Cost, cost_of
from helpers.capstone.deployment import Prediction
from helpers.capstone.score import beside, honesty, off_by, points

CHAT = find_brief("chat", "laptop")


def test_off_by_is_the_same_in_both_directions() -> None:
    assert off_by(2.0, 1.0) == off_by(1.0, 2.0) == 2.0
    assert off_by(0.0, 0.0) == 1.0
    assert off_by(0.0, 1.0) is None


def test_honesty() -> None:
    measured = {"goodput_per_s": 2.0, "ttft_p90_s": 0.5, "output_tokens_per_s": None}
    rows = beside(Prediction(goodput_per_s=2.0, ttft_p90_s=2.0), measured)
    assert set(rows) == {"goodput_per_s", "ttft_p90_s"}
    assert honesty(rows) == 0.5
    assert honesty({}) == 0.0
    assert honesty(beside(Prediction(output_tokens_per_s=5.0), measured)) == 0.0


def test_cost_of_cores_and_of_a_machine() -> None:
    cost = cost_of("laptop", duration_s=36.0, cores=2, cpu_s=50.0, good=100)
    assert cost.eur == pytest.approx(2 * 0.01 * 0.04)
    assert cost.eur_per_1000_good == pytest.approx(0.008)
    assert cost.joules == pytest.approx(400.0)
    assert cost_of("laptop", duration_s=36.0, cores=2, cpu_s=None, good=0).eur_per_1000_good is None
    assert cost_of("spark", duration_s=3600.0, cores=1, cpu_s=None, good=1).eur == pytest.approx(0.15)


def test_points() -> None:
    cheap = Cost(1.0, CHAT.budget_eur, 1.0, 1.0)
    full = points(CHAT, goodput_per_s=CHAT.target_per_s * 2, cost=cheap, quality=1.0, honest=1.0)
    assert full == {"goodput": 60, "cost": 20, "honesty": 20}
    half = points(CHAT, goodput_per_s=CHAT.target_per_s / 2, cost=cheap, quality=None, honest=0.0)
    assert half == {"goodput": 30, "cost": 10, "honesty": 0}
    broken = points(CHAT, goodput_per_s=9.0, cost=cheap, quality=CHAT.quality_floor - 0.01, honest=1.0)
    assert sum(broken.values()) == 0
