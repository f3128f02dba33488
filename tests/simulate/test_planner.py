from pathlib import Path

import pytest

from helpers.bench.metrics import Objective
from helpers.errors import UsageError
from helpers.simulate.capacity import COLUMNS, MOST_USERS, CapacityPlan
from helpers.simulate.planner import most_users, plan_capacity
from helpers.simulate.prices import PRICES, read_prices


@pytest.fixture(scope="module")
def plan() -> CapacityPlan:
    # A large model: few users, so the search is short.
    return plan_capacity(
        "llama-3.3-70b",
        Objective(ttft_s=6.0, tpot_s=0.3),
        systems=("gb10", "2x gb10", "h200"),
        quantization="nvfp4",
        input_tokens=256,
        output_tokens=64,
    )


def test_more_machine_serves_more_users(plan: CapacityPlan) -> None:
    one, two, h200 = plan.systems
    assert 0 < one.users < two.users < h200.users
    for each in plan.systems:
        low, high = each.users_interval
        assert low <= each.users <= high
        assert each.metrics is not None
        assert each.metrics.ttft_s is not None
        # The long run: each user gets an answer in a cycle.
        assert each.output_tokens_per_s == pytest.approx(each.users * 64 / (10 + each.metrics.e2e_s.mean))  # type: ignore[union-attr]


def test_cost_and_energy_follow_from_the_prices(plan: CapacityPlan) -> None:
    prices = read_prices()
    one, two, h200 = plan.systems
    assert one.output_tokens_per_s is not None
    hours = 1e6 / one.output_tokens_per_s / 3600
    energy = 240 * prices["power_share"] / 1000 * hours
    machine = prices["system"]["gb10"]["price"] / (3 * 365 * 24 * 0.5) * hours
    assert one.kwh_per_million_tokens == pytest.approx(energy)
    assert one.cost_per_million_tokens == pytest.approx(machine + energy * 0.15)
    assert h200.output_tokens_per_s is not None
    assert h200.cost_per_million_tokens == pytest.approx(3.5 * 1e6 / h200.output_tokens_per_s / 3600)
    assert two.kwh_per_million_tokens is not None


def test_every_row_is_told_with_its_doubts(plan: CapacityPlan) -> None:
    rows = plan.rows()
    assert [row[0] for row in rows] == ["gb10 nvfp4", "2x gb10 nvfp4", "h200 nvfp4"]
    assert all(len(row) == len(COLUMNS) for row in rows)
    assert any("h200: the efficiency of a DGX Spark is taken" in line for line in plan.notes)
    assert any("assumptions" in line for line in plan.notes)
    value = plan.to_json()
    assert value["origin"] == "simulated"
    assert value["systems"][0]["users"] == plan.systems[0].users


def test_an_objective_that_nobody_meets_says_what_one_user_waits() -> None:
    [each] = plan_capacity(
        "llama-3.3-70b", Objective(tpot_s=0.001), systems=("gb10",), input_tokens=64, output_tokens=16
    ).systems
    assert each.users == 0
    assert "even one user waits" in each.why


def test_a_model_that_does_not_fit_is_a_row_too() -> None:
    plan = plan_capacity("llama-3.1-70b", systems=("gb10",), quantization="bf16")
    assert (plan.systems[0].users, plan.systems[0].metrics) == (0, None)
    assert "larger than the memory" in plan.systems[0].why
    assert plan.rows()[0][1] == "0"


@pytest.mark.parametrize("true", [0, 1, 2, 5, 31, 32, 33, 100, 700, 2047, 2048, 5000])
def test_the_search_finds_the_most_users(true: int) -> None:
    for guess, factor in ((32, 2.0), (500, 1.25), (1, 2.0)):
        found = most_users(lambda users: users <= true, guess, factor=factor)
        assert min(true, MOST_USERS) * 0.95 - 1 <= found <= min(true, MOST_USERS)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("electricity_per_kwh = 0.15", "electricity_per_kwh"),
        ("power_share = 0.6", "power_share"),
        ('currency = "USD"', "currency"),
    ],
)
def test_prices_are_checked(change: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "prices.toml"
    path.write_text(PRICES.read_text().replace(change, change.split("=")[0] + "= -1"))
    with pytest.raises(UsageError, match=said):
        read_prices(path)


def test_prices_that_cannot_be_read_and_lengths_that_cannot_be_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_prices(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("currency = ")
    with pytest.raises(UsageError, match="cannot be read"):
        read_prices(tmp_path / "bad.toml")
    with pytest.raises(UsageError, match="context of 40,960"):
        plan_capacity("qwen3-8b", systems=("gb10",), input_tokens=50_000)
