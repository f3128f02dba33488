from collections.abc import Mapping
from typing import Any

import pytest

from helpers.grade.claims import UnitFacts, recorded_prints, settle
from helpers.grade.results import Item, Result
from tests.grade.builders import STEM

MILESTONE = "12.1.report"
PRINTS = ["a", "b", "c", "d"]


def unit(learner: str, state: Any = "not-run", *, claims: bool = True, **facts: Any) -> UnitFacts:
    points = 1.0 if state == "reached" else 0.0
    item = Item(MILESTONE, "milestone", "report", points, 1.0, state, "needs an engine")
    result = Result(learner, STEM, "notebook", "", "", "ok", (), (item,), 1.0, seed=facts.pop("seed", 1))
    records = (
        {MILESTONE: {"fingerprints": facts.pop("prints"), "seeds": facts.pop("seeds")}} if "prints" in facts else {}
    )
    return UnitFacts(result, (MILESTONE,) if claims else (), records, facts.pop("refused", ()))


def references(state: str) -> Any:
    def reference(task: str) -> Mapping[str, str]:
        assert task == STEM
        return {MILESTONE: state}

    return reference


def test_what_the_solution_cannot_do_here_costs_nothing() -> None:
    (result,) = settle([unit("alice")], references("not-run"))
    assert (result.items[0].max_points, result.items[0].state) == (0.0, "not-run")


def test_what_the_solution_reaches_here_could_have_been_reached() -> None:
    (result,) = settle([unit("alice")], references("reached"))
    assert (result.items[0].points, result.items[0].max_points, result.items[0].state) == (0.0, 1.0, "not-reached")


@pytest.mark.parametrize("state", ["not-reached", ""])
def test_what_the_solution_does_not_say_is_not_said_of_it(state: str) -> None:
    (result,) = settle([unit("alice")], references(state))
    assert (result.items[0].max_points, result.items[0].state) == (1.0, "not-reached")
    assert "the solution reaches it" not in result.items[0].message


def test_the_solution_is_not_run_where_nobody_claims_anything() -> None:
    def reference(task: str) -> Mapping[str, str]:
        pytest.fail("nobody asked")

    (result,) = settle([unit("alice", "reached", claims=False)], reference)
    assert result.points == 1.0


def copies(seeds: dict[str, list[str]]) -> list[Result]:
    units = [
        unit(learner, "reached", claims=False, prints=PRINTS, seeds=own, seed=number)
        for number, (learner, own) in enumerate(seeds.items(), start=1)
    ]
    return settle([*units, unit("carol", "reached", claims=False, prints=["x"], seeds=["0"])], references("reached"))


def test_records_are_those_of_the_learner_whose_seed_they_carry() -> None:
    alice, bob, carol = copies({"alice": ["1"], "bob": ["1"]})
    assert (alice.outcome, alice.points) == ("ok", 1.0)
    assert (bob.outcome, bob.points, bob.max_points) == ("tampered", 0.0, 1.0)
    assert "the records are those of alice" in bob.reasons
    assert (carol.outcome, carol.points) == ("ok", 1.0)


def test_records_of_the_course_are_nobody_s() -> None:
    (name, *_) = recorded_prints()
    (result,) = settle([unit("eve", "reached", claims=False, prints=[name], seeds=["1"])], references("reached"))
    assert (result.outcome, result.points, result.max_points) == ("tampered", 0.0, 1.0)
    assert "the records are those of the course's recorded runs" in result.reasons


# In the last two, who copied wrote a seed of their own over the owner's, and the owner's own run carries another.
@pytest.mark.parametrize(
    "seeds", [{"alice": ["0"], "bob": ["0"]}, {"alice": ["0"], "bob": ["2"]}, {"alice": ["1"], "bob": ["2"]}]
)
def test_where_no_seed_tells_nobody_gains_and_nobody_loses(seeds: dict[str, list[str]]) -> None:
    alice, bob, _ = copies(seeds)
    for result in (alice, bob):
        assert (result.outcome, result.points, result.max_points) == ("ok", 0.0, 0.0)
        assert "whose they are is for the instructor to say" in result.items[0].message
