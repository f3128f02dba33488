from typing import Any

import pytest

from helpers.course.task import Case
from helpers.grade.judging import share_earned
from helpers.grade.sanitise import Cell
from helpers.grade.tampering import hidden_code, replacements

CASES = [Case("a", {}, None), Case("b", {}, None), Case("c", {}, 1.0), Case("d", {}, 2.0)]


@pytest.mark.parametrize(
    ("held", "share"),
    [
        ([True] * 4, 1.0),
        ([True, True, False, False], 0.0),
        ([True, True, True, False], 0.5),
        ([False, False, True, False], 0.0),
        ([False] * 4, 0.0),
    ],
)
def test_a_part_counts_only_beyond_what_a_constant_answer_gets(held: list[bool], share: float) -> None:
    assert share_earned(CASES, held) == share


def test_one_answer_for_all_cases_is_all_or_nothing() -> None:
    same = [Case("a", {}, True), Case("b", {}, True)]
    assert share_earned(same, [True, False]) == 0.0
    assert share_earned(same, [True, True]) == 1.0


@pytest.mark.parametrize(
    "source",
    [
        "helpers.check = lambda *a: None",
        "import helpers as h\nh.milestone = print",
        "from helpers import bench\nbench.x = 1",
        "setattr(helpers, 'check', print)",
        "vars(helpers)['check'] = print",
        "helpers.__dict__['check'] = print",
        "import sys\nsys.modules['helpers'] = None",
        "import builtins\nbuiltins.open = print",
        "from helpers.course.task import reached",
        "from unittest.mock import patch\npatch('helpers.milestone').start()",
        "def ttft_s():\n    helpers.milestone = print",
        "del helpers.check",
        "%matplotlib inline\nhelpers.check = print",
        "%%time\nhelpers.check = print",
    ],
)
def test_replacing_a_part_of_the_library_is_seen(source: str) -> None:
    assert len(replacements([Cell("mine", "code", source)])) >= 1


@pytest.mark.parametrize(
    "source",
    [
        "import helpers\nserver = helpers.launch('nano')\nserver.label = 1",
        "x = {'helpers': 1}\nx['helpers'] = 2",
        "from helpers.nano.scheduler import Scheduler\nclass Mine(Scheduler):\n    limit = 3",
        "%matplotlib inline",
        "setattr(self, 'x', 1)",
    ],
)
def test_honest_code_is_not_suspected(source: str) -> None:
    assert replacements([Cell("mine", "code", source)]) == []


def test_code_made_from_strings_is_named() -> None:
    told: Any = hidden_code([Cell("ex1", "code", "exec('1')"), Cell("ex2", "code", "re.compile('a')")])
    assert told == ["cell ex1 uses exec()"]
