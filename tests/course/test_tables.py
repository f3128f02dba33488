"""Tables as learners see them."""

import pytest

from helpers.course.tables import table
from helpers.errors import UsageError


def test_numbers_are_shown_with_three_digits_and_set_right() -> None:
    shown = table([{"run": "a|b", "TTFT, ms": 12.3456, "requests": 1234, "valid": True, "knee": None}])
    header, rule, row = repr(shown).splitlines()
    assert header == "| run | TTFT, ms | requests | valid | knee |"
    assert rule == "| :--- | ---: | ---: | :--- | :--- |"
    assert row == "| a\\|b | 12.3 | 1,234 | yes | – |"


def test_a_number_among_gaps_makes_the_column_numeric() -> None:
    shown = table([{"rate": None}, {"rate": 2.0}])
    assert shown.numeric == {"rate"}


def test_rows_must_agree() -> None:
    with pytest.raises(UsageError, match="a row has the columns b"):
        table([{"a": 1}, {"b": 2}])


def test_no_rows_say_what_to_do() -> None:
    with pytest.raises(UsageError, match="at least one row"):
        table([])
