"""The fixed tasks tell right answers from wrong ones."""

import pytest

from helpers.capstone.quality import KINDS, share_right, tasks
from tests.capstone.samples import right_answers


@pytest.mark.parametrize("kind", KINDS)
def test_right_answers_are_accepted_and_empty_ones_are_not(kind: str) -> None:
    assert share_right(kind, right_answers(kind)) == 1.0
    assert share_right(kind, [""] * len(tasks(kind))) == 0.0


def test_a_record_may_stand_in_a_block_of_code_and_must_be_equal() -> None:
    task = tasks("records")[0]
    assert task.accepts(f"```json\n{right_answers('records')[0]}\n```")
    assert not task.accepts('{"port": 1}')
    assert not task.accepts("no JSON at all }{")


def test_facts_need_every_group() -> None:
    task = next(task for task in tasks("facts") if len(task.wanted) == 2)
    assert not task.accepts(task.wanted[0][0])


def test_words_are_words() -> None:
    task = tasks("words")[0]
    assert not task.accepts(task.wanted.replace(".", "!"))
