"""The field of benchmarks/capstone.py and the notebook's decisions: all can be started, and none is another's twin."""

import importlib
import sys

import pytest

from helpers.capstone.brief import brief_names, find_brief
from helpers.capstone.deployment import Deployment, check
from helpers.config import ROOT


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    yield importlib.import_module("capstone")
    for name in ("capstone", "sitting"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("name", brief_names())
def test_every_choice_may_be_started(script, name: str) -> None:
    field = script.FIELD[name]
    brief = find_brief(name, "laptop")
    for choice in field.values():
        checked = check(Deployment.build(**choice.decisions), brief)
        assert checked.need_bytes < brief.memory_gb * 1e9
    assert len({str(choice.decisions) for choice in field.values()}) == len(field)
    wrong = [choice for label, choice in field.items() if label not in (script.REFERENCE, script.TODAY)]
    assert len(wrong) >= 3
    assert all(choice.cause for choice in wrong)


def test_bars_and_tables_from_figures(script) -> None:
    good = {"goodput": 4.0, "score": 80.0, "slo_met": True, "quality": 1.0, "named": True, "reasons": []}
    good |= {"pace": 1.0, "seconds": 20.0}
    field = {label: {**good, "goodput": 1.0, "score": 9.0} for label in script.FIELD["chat"]}
    field[script.REFERENCE] = good
    again = [good] * 9 + [{**good, "score": 5.0}]
    figures = {"chat": {"field": field, "again": again}}
    assert all(bar.held for bar in script.find_bars({"figures": figures}))
    figures["chat"]["again"] = [*again[2:], {**good, "score": 5.0}]
    field["one slot"]["named"] = False
    missed = [bar.what for bar in script.find_bars({"figures": figures}) if not bar.held]
    assert missed == ["chat: other choices that lose, by their cause", "chat: judgements with the same rank"]
    circumstances = {"date": "2026-11-24T10:00", "processor": "x", "cores": 2, "memory_gib": 8}
    circumstances |= {"git_commit": "abc", "load_average": 0.1}
    text = script.render({"circumstances": circumstances, "load_average_after": 0.2, "figures": figures})
    assert "(not named)" in text
