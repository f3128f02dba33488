"""A judgement's figures follow from its records, on the brief's clock, and survive being kept."""

import json
from pathlib import Path

import pytest

from helpers.capstone.judgement import RECORD, load_judgement
from helpers.errors import MissingError, UsageError
from tests.capstone.samples import judgement, record, steady

CONTRACT = {"brief", "goodput", "slo_met", "quality", "cost", "predicted", "score", "reasons"}


def test_all_good() -> None:
    one = judgement()
    assert one.good == one.offered == 48
    assert one.slo_met
    assert one.goodput_per_s == pytest.approx(48 / (47 * 0.25 + 0.2))
    assert one.quality == 1.0
    assert set(one.to_json()) >= CONTRACT
    json.dumps(one.to_json())


def test_a_slow_machine_has_a_slow_clock() -> None:
    slow = [record(number, sent_s=number, ttft_s=3.0, cached=950) for number in range(42)]
    assert not judgement(records=slow).slo_met
    one = judgement(records=slow, pace=4.0)
    assert one.slo_met
    assert one.goodput_per_s == pytest.approx(4 * one.metrics.goodput_per_s)


def test_late_and_failed_and_missing_requests_are_not_good() -> None:
    late = steady(20) + [record(n, sent_s=5.0 + n * 0.1, ttft_s=2.0) for n in range(10)]
    failed = [record(n, sent_s=6.0 + n * 0.1, error="connection lost") for n in range(5)]
    one = judgement(records=late + failed)
    assert one.good == 20
    assert not one.slo_met


def test_a_deadline() -> None:
    assert judgement("extraction", records=steady(16, gap_s=0.1)).slo_met
    assert not judgement("extraction", records=steady(16, gap_s=2.0)).slo_met


def test_predictions_are_on_the_briefs_clock() -> None:
    said = {"prediction": {"ttft_p90_s": 0.05, "output_tokens_per_s": 88.0}}
    one = judgement(decisions=said, pace=2.0)
    assert one.predicted["ttft_p90_s"]["measured"] == pytest.approx(0.05)
    assert one.predicted["ttft_p90_s"]["off_by"] == pytest.approx(1.0)


def test_kept_and_read_it_is_the_same(tmp_path: Path) -> None:
    one = judgement(decisions={"prediction": {"goodput_per_s": 3.0}, "name": "Ada"}, pace=1.5)
    one.save(tmp_path / "a")
    again = load_judgement(tmp_path / "a")
    assert again.to_json() == one.to_json()
    with pytest.raises(UsageError):
        one.save(tmp_path / "a")


def test_one_whose_load_never_began(tmp_path: Path) -> None:
    one = judgement(run=None, answers=None, endings=("replica 1 of 1: it died",))
    assert (one.goodput_per_s, one.good, one.slo_met) == (0.0, 0, False)
    one.save(tmp_path / "a")
    assert load_judgement(tmp_path / "a").to_json() == one.to_json()


@pytest.mark.parametrize("text", ["", "[]", '{"origin": "measured"}', '{"brief": "none"}'])
def test_a_damaged_one_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / RECORD).write_text(text)
    with pytest.raises(MissingError):
        load_judgement(tmp_path)


def test_a_folder_without_one(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="no judgement"):
        load_judgement(tmp_path)
