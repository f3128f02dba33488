"""Acceptance from an engine's counters."""

from typing import Any

import pytest

from helpers.bench.arrivals import ClosedLoop
from helpers.bench.run import Run
from helpers.bench.speculated import counted_acceptance
from helpers.bench.target import Target
from helpers.bench.workloads import given_prompts


def run_with(before: dict[str, float], after: dict[str, float]) -> Run:
    target = Target("http://127.0.0.1:1/v1", "model", "engine")
    counters: dict[str, Any] = {"before": before, "after": after}
    return Run("run", target, given_prompts(["Anything."]), ClosedLoop(1), 1, ((),), {}, counters)


def test_length_counts_the_targets_own_token_and_only_what_happened_in_the_run() -> None:
    before = {"drafts_total": 100.0, "draft_tokens_total": 400.0, "accepted_tokens_total": 220.0}
    after = {"drafts_total": 150.0, "draft_tokens_total": 600.0, "accepted_tokens_total": 250.0}
    assert counted_acceptance(run_with(before, after)) == (pytest.approx(1.6), pytest.approx(0.15))


def test_an_engine_that_counts_passes_but_no_proposals_has_a_length_and_no_rate() -> None:
    after = {"drafts_total": 50.0, "output_tokens_total": 160.0}
    assert counted_acceptance(run_with({"drafts_total": 10.0, "output_tokens_total": 60.0}, after)) == (2.5, None)


@pytest.mark.parametrize("after", [{}, {"drafts_total": 7.0}])
def test_without_proposals_there_is_no_acceptance(after: dict[str, float]) -> None:
    assert counted_acceptance(run_with({"drafts_total": 7.0} if after else {}, after)) == (None, None)
