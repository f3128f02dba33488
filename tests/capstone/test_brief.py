"""The briefs: written for every profile, and the same decisions in each."""

import pytest

from helpers.bench.arrivals import ClosedLoop, Poisson
from helpers.capstone.brief import brief_names, find_brief
from helpers.capstone.deployment import Deployment
from helpers.capstone.quality import KINDS
from helpers.errors import UsageError
from helpers.hardware import PROFILES


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("name", ["chat", "extraction", "agent"])
def test_every_brief_is_whole_on_every_profile(name: str, profile: str) -> None:
    brief = find_brief(name, profile)
    assert (brief.name, brief.profile) == (name, profile)
    assert brief.quality in KINDS
    assert sum(brief.weights.values()) == 100
    default = Deployment.build(**brief.default)
    assert default.engine in brief.engines
    assert default.model in brief.models
    assert 0 < brief.load.count(True) <= brief.load.count(False)
    assert brief.title in brief.describe()
    assert (brief.deadline_s is None) == (brief.quick_deadline_s is None)


def test_there_are_three() -> None:
    assert brief_names() == ("chat", "extraction", "agent")


def test_the_load_follows_the_clock() -> None:
    assert find_brief("chat", "laptop").load.arrivals(2.0) == Poisson(3.0)
    assert find_brief("agent", "laptop").load.arrivals(2.0) == ClosedLoop(1)


def test_what_is_shared() -> None:
    assert find_brief("chat", "laptop").load.shareable == pytest.approx(1000 / 1050)
    assert find_brief("extraction", "laptop").load.shareable == pytest.approx(0.75 * 260 / 272)
    assert find_brief("agent", "laptop").load.shareable == 0


def test_an_unknown_brief_is_named_with_the_close_one() -> None:
    with pytest.raises(UsageError, match="did you mean agent"):
        find_brief("agents", "laptop")
    with pytest.raises(UsageError, match="not written for"):
        find_brief("chat", "mainframe")
