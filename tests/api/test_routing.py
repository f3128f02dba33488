from itertools import pairwise

import pytest

from helpers.api import routing as module
from helpers.api.refusal import Refused
from helpers.api.routing import OPENS_AFTER, Router
from helpers.api.settings import Limits, UpstreamSettings


def router(*names: str, slack: int = 2, **aliases: str) -> Router:
    made = Router(
        [UpstreamSettings(name, (f"http://{name}:1",)) for name in names], aliases, Limits(affinity_slack=slack), 1
    )
    for target in made.targets:
        target.alive = True
        target.models = {"common": {}, f"only-{target.name}": {}, "tagged:7b": {}}
    made.refresh()
    return made


def test_a_model_is_found_by_name_alias_tag_or_upstream() -> None:
    made = router("a", "b", nick="only-b")
    assert [target.name for target in made.resolve("common")[1]] == ["a", "b"]
    assert made.resolve("nick")[0] == "only-b"
    assert made.resolve("common:latest")[0] == "common"
    model, targets = made.resolve("b")
    assert (model, [target.name for target in targets]) == ("common", ["b"])


@pytest.mark.parametrize("name", ["", "http://10.0.0.1/v1", "../secret", "x" * 256, "nick"])
def test_anything_else_is_not_found_and_nothing_is_fetched(name: str) -> None:
    with pytest.raises(Refused) as refused:
        router("a", nick="gone").resolve(name)
    assert refused.value.status == 404
    assert len(refused.value.message) < 200


def test_without_a_prefix_the_least_loaded_is_chosen_and_equals_take_turns() -> None:
    made = router("a", "b", "c")
    chosen = [made.choose(made.targets, b"", []) for _ in range(6)]
    assert all(one is not other for one, other in pairwise(chosen))
    made.targets[0].enter()
    made.targets[1].enter()
    assert made.choose(made.targets, b"", []) is made.targets[2]
    assert made.choose(made.targets, b"", [made.targets[2]]) in made.targets[:2]


def test_one_prefix_stays_with_one_target_until_it_is_too_busy() -> None:
    made = router("a", "b", "c", slack=2)
    favourite = made.choose(made.targets, b"system prompt", [])
    assert favourite is not None
    for _ in range(3):
        assert made.choose(made.targets, b"system prompt", []) is favourite
        favourite.enter()
    assert made.choose(made.targets, b"system prompt", []) is not favourite


def test_prefixes_are_spread_and_most_stay_when_a_target_goes() -> None:
    made = router("a", "b", "c", "d")
    prefixes = [f"prompt {number}".encode() for number in range(200)]
    before = {prefix: made.choose(made.targets, prefix, []) for prefix in prefixes}
    assert all(20 < sum(choice is target for choice in before.values()) < 90 for target in made.targets)
    gone = made.targets[0]
    gone.alive = False
    after = {prefix: made.choose(made.targets, prefix, []) for prefix in prefixes}
    assert all(after[prefix] is before[prefix] for prefix in prefixes if before[prefix] is not gone)


def test_the_breaker_opens_lets_one_trial_through_and_waits_longer_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(module, "monotonic", lambda: now[0])
    target = router("a").targets[0]
    for _ in range(OPENS_AFTER):
        assert target.available
        target.enter()
        target.leave(healthy=False)
    assert not target.available
    now[0] += 1.01
    assert target.available
    target.enter()
    assert not target.available
    target.leave(healthy=None)
    assert target.available
    target.enter()
    target.leave(healthy=False)
    now[0] += 1.5
    assert not target.available
    now[0] += 0.6
    target.enter()
    target.leave(healthy=True)
    assert target.available
    target.enter()
    target.leave(healthy=False)
    assert target.available


def test_dead_targets_are_never_chosen() -> None:
    made = router("a")
    made.targets[0].alive = False
    assert made.choose(made.targets, b"x", []) is None
