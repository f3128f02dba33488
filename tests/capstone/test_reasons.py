"""Each loss is named by its cause; what was not lost is not."""

from typing import Any

import pytest

from helpers.capstone.brief import find_brief
from helpers.capstone.clock import Pace
from helpers.client.records import RequestRecord
from tests.capstone.samples import judgement, record, run_of, steady


def crowd(count: int, *, ttft_s: float = 5.0, cached: int = 950) -> list[RequestRecord]:
    """All at once, all late."""
    return [record(number, sent_s=0.01 * number, ttft_s=ttft_s, cached=cached) for number in range(count)]


def drafting(records: list[RequestRecord], accepted: int) -> Any:
    zero = {"drafts_total": 0.0, "draft_tokens_total": 0.0, "accepted_tokens_total": 0.0}
    after = {"drafts_total": 100.0, "draft_tokens_total": 400.0, "accepted_tokens_total": float(accepted)}
    return run_of(records, {"before": zero, "after": after})


def first_words(reasons: list[str]) -> set[str]:
    return {reason.partition(":")[0] for reason in reasons}


def test_nothing_lost_nothing_said() -> None:
    said = {"goodput_per_s": 6.0, "ttft_p90_s": 0.1, "output_tokens_per_s": 66.0}
    one = judgement(records=steady(42, gap_s=0.166, cached=950), decisions={"prediction": said})
    assert one.reasons == ["nothing was lost: the objective is kept, within the budget, as predicted"]


def test_a_silent_one_is_told_so() -> None:
    assert "no prediction" in first_words(judgement(records=steady(42, gap_s=0.166, cached=950)).reasons)


def test_one_slot() -> None:
    reasons = judgement(records=crowd(42), decisions={"max_num_seqs": 1}).reasons
    assert "objective missed" in first_words(reasons)
    assert "too few slots" in first_words(reasons)


def test_prefix_caching_off_and_too_small() -> None:
    off = judgement(records=crowd(42, cached=0), decisions={"prefix_caching": False, "max_num_seqs": 40})
    assert "prefix caching is off" in first_words(off.reasons)
    small = judgement(records=crowd(42, cached=300), decisions={"max_num_seqs": 8})
    assert "prefix caching has too few slots" in first_words(small.reasons)
    elsewhere = judgement(records=crowd(42, cached=300), decisions={"engine": "nano", "max_num_seqs": 40})
    assert "prefix caching finds little" in first_words(elsewhere.reasons)
    fine = judgement(records=crowd(42, cached=950), decisions={"max_num_seqs": 40})
    assert not any(reason.startswith("prefix caching") for reason in fine.reasons)


def test_speculation_under_concurrency() -> None:
    made = {"decisions": {"speculation": "eagle3", "max_num_seqs": 40}}
    reasons = judgement(records=crowd(42), run=drafting(crowd(42), 220), **made).reasons
    (line,) = [reason for reason in reasons if reason.startswith("speculation under concurrency")]
    assert "3.2 tokens came out of a pass" in line
    assert "55% of the proposals" in line


def test_a_single_user_without_speculation_or_with_bad_drafts() -> None:
    slow = [record(number, sent_s=number, tpot_s=0.05) for number in range(6)]
    assert "no speculation" in first_words(judgement("agent", records=slow).reasons)
    bad = judgement("agent", run=drafting(slow, 40), decisions={"speculation": "eagle3", "draft_tokens": 16})
    assert "drafts too long" in first_words(bad.reasons)
    none = judgement("agent", run=run_of(slow), decisions={"speculation": "ngram"})
    assert "speculation proposes nothing" in first_words(none.reasons)


def test_tiny_token_budget_names_the_steps() -> None:
    reasons = judgement(records=crowd(42), decisions={"max_num_batched_tokens": 8, "max_num_seqs": 40}).reasons
    (line,) = [reason for reason in reasons if reason.startswith("tiny token budget")]
    assert "132 steps" in line


def test_wide_weights_and_idle_cores() -> None:
    late = steady(16, gap_s=2.0)
    reasons = judgement("extraction", records=late, decisions={"quantization": "f32"}).reasons
    assert {"wide weights", "idle cores"} <= first_words(reasons)


def test_a_context_too_large_is_named_where_it_is_reserved() -> None:
    assert "context too large" in first_words(judgement(max_model_len=4096).reasons)
    assert "context too large" not in first_words(judgement(max_model_len=1280).reasons)
    paged = judgement(max_model_len=4096, decisions={"engine": "vllm"})
    assert "context too large" not in first_words(paged.reasons)


def test_replicas_without_anything_to_do() -> None:
    slow = [record(number, sent_s=number, tpot_s=0.01) for number in range(6)]
    reasons = judgement("agent", records=slow, decisions={"replicas": 2}, cores=2).reasons
    assert {"idle replicas", "cost"} <= first_words(reasons)


def test_a_broken_model_is_named_first() -> None:
    one = judgement(answers=[""] * 10, decisions={"model": "course-draft"})
    assert one.score == 0
    assert one.reasons[0].startswith("quality: 0% of the fixed tasks are right and 90% are asked: course-draft")


def test_death_is_named_before_all() -> None:
    one = judgement(endings=("replica 1 of 1: llama.cpp ended with signal 9",))
    assert one.reasons[0] == "died: replica 1 of 1: llama.cpp ended with signal 9"


def test_a_prediction_that_is_off() -> None:
    said = {"prediction": {"goodput_per_s": 40.0, "ttft_p90_s": 0.0}}
    (line,) = [reason for reason in judgement(decisions=said).reasons if reason.startswith("prediction")]
    assert "off by a factor of" in line
    assert "one of them is 0" in line


@pytest.mark.parametrize("name", ["chat", "extraction", "agent"])
def test_every_brief_has_reasons_for_todays_deployment(name: str) -> None:
    brief = find_brief(name, "laptop")
    late = [record(n, sent_s=0.01 * n, ttft_s=60.0, tpot_s=0.3) for n in range(brief.load.count(True))]
    assert len(judgement(name, records=late).reasons) >= 3


def test_a_machine_that_changed_its_speed() -> None:
    assert "unsteady machine" in first_words(judgement(pace=Pace(2.0, 1.0).until(Pace(8.0, 1.0))).reasons)
    assert "unsteady machine" not in first_words(judgement(pace=Pace(2.0, 1.0).until(Pace(2.2, 1.0))).reasons)


def test_the_clock_between_two_measurements() -> None:
    between = Pace(2.0, 1.0).until(Pace(8.0, 1.0))
    assert (between.factor, between.drift) == (4.0, 4.0)
