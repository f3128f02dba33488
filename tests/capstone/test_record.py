"""The decision record: one page, figures from the judgements, arguments left open."""

import pytest

from helpers.capstone.record import decision_record
from helpers.errors import UsageError
from tests.capstone.samples import judgement, steady


def test_one_page_with_every_option() -> None:
    said = {"max_num_seqs": 40, "prediction": {"goodput_per_s": 3.0}, "name": "Ada"}
    text = decision_record([judgement(decisions=said), judgement(records=steady(42, ttft_s=2.0))])
    assert "# Decision record: A chat service for 40 users" in text
    assert "| Decided by | Ada |" in text
    assert "| engine=llama.cpp, model=course, max_num_seqs=40 |" in text
    assert "| missed |" in text
    assert "goodput_per_s 3 against" in text
    assert "## What would change the decision" in text
    assert "$" not in text
    assert len(text.splitlines()) < 60


def test_one_brief_at_a_time() -> None:
    with pytest.raises(UsageError, match="of one brief"):
        decision_record([judgement(), judgement("agent", records=steady(6))])
    with pytest.raises(UsageError, match="of one brief"):
        decision_record([])


def test_one_that_never_ran() -> None:
    assert "nothing ran" in decision_record([judgement(run=None, answers=None)])
