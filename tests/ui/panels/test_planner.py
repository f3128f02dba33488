"""The capacity planner: its estimate follows the cost model, and its words say what it leans on."""

import time
from dataclasses import replace

import pytest

import helpers
from helpers.bench.metrics import Objective
from helpers.errors import UsageError
from helpers.simulate.capacity import CapacityPlan
from helpers.simulate.system import make_system
from helpers.ui.panels import planner as module
from helpers.ui.panels.estimate import Demand, Estimate, estimate
from helpers.ui.panels.planner import CapacityPlanner

DEMAND = Demand(512, 256, 10.0)
OBJECTIVE = Objective(ttft_s=2.0, tpot_s=0.1)


def users_of(demand: Demand, objective: Objective = OBJECTIVE, device: str = "gb10") -> Estimate:
    return estimate(make_system(device, "llama-3.1-8b", quantization="fp8"), demand, objective)


def test_the_estimate_is_near_what_playing_the_same_number_of_answers_gives() -> None:
    found = users_of(DEMAND)
    played = helpers.simulate_load(
        *("gb10", "llama-3.1-8b"),
        quantization="fp8",
        concurrency=(found.at_once,),
        requests=4 * found.at_once,
        input_tokens=DEMAND.input_tokens,
        output_tokens=DEMAND.output_tokens,
    )
    assert found.tpot_s == pytest.approx(played.runs[0].metrics.tpot_s.p50, rel=0.25)


def test_who_thinks_longer_leaves_room_and_who_asks_more_takes_it() -> None:
    base = users_of(DEMAND).users
    assert users_of(replace(DEMAND, think_s=60.0)).users > base
    assert users_of(replace(DEMAND, input_tokens=4096)).users < base
    assert users_of(DEMAND, Objective(ttft_s=2.0, tpot_s=0.05)).users < base
    assert users_of(DEMAND, device="h200").users > base


def test_the_bound_that_keeps_more_out_is_named() -> None:
    assert users_of(DEMAND).bound == "TPOT"
    assert users_of(DEMAND, Objective(ttft_s=0.001)).bound == "TTFT"
    assert users_of(DEMAND, Objective(ttft_s=0.001)).users == 0
    assert users_of(replace(DEMAND, input_tokens=60_000), Objective(tpot_s=10.0)).bound == "memory for the KV cache"
    assert users_of(DEMAND, Objective(tpot_s=10.0)).bound == "256 seats"


def test_it_says_that_it_is_simulated_what_does_not_fit_and_where_it_extrapolates() -> None:
    text = CapacityPlanner("qwen3-235b-a22b").text()
    assert "simulated" in text
    assert "larger than the memory of DGX Spark" in text
    assert "no figure of it was fitted" in text
    with pytest.raises(UsageError, match="unknown model"):
        CapacityPlanner("gpt-9")


def test_sliders_move_the_table_and_the_button_plays(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def plan(*arguments: object, **options: object) -> CapacityPlan:
        asked.append((*arguments, options))
        return helpers.plan_capacity("llama-3.1-8b", Objective(tpot_s=0.02), systems=("gb10",))

    monkeypatch.setattr(module, "plan_capacity", plan)
    panel = CapacityPlanner()
    controls, (play, said), shown = (getattr(part, "children", part) for part in panel.widget.children)
    _, prompt, answer, *_ = controls
    prompt.value, answer.value = 2048, 128
    assert "2,048 tokens in, 128 out" in shown.value
    play.click()
    deadline_s = time.monotonic() + 60
    while play.disabled:
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
    assert asked[0][2]["input_tokens"] == 2048
    assert "Played" in shown.value
    assert said.value == ""
    prompt.value = 512
    assert "Played" not in shown.value
