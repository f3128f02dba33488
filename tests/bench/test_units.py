import pytest

from helpers.bench.units import MISSING, beside, bytes_text, digits, milliseconds, quantity


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.01234, "0.0123"),
        (1.0, "1.00"),
        (12.345, "12.3"),
        (999.6, "1,000"),
        (1234.5, "1,230"),
        (-2.5, "-2.50"),
    ],
)
def test_three_digits_that_mean_something(value: float, text: str) -> None:
    assert digits(value) == text


def test_a_missing_figure_has_its_sign() -> None:
    assert digits(None) == milliseconds(None) == MISSING


def test_times_take_the_unit_that_reads_better() -> None:
    assert quantity(0.0123, "s") == "12.3 ms"
    assert quantity(2.5, "s") == "2.50 s"
    assert quantity(151.2, "tokens/s") == "151 tokens/s"


def test_bytes_take_the_unit_that_suits_them() -> None:
    assert bytes_text(8 * 2**30) == "8.00 GiB"
    assert bytes_text(512) == "512 B"


@pytest.mark.parametrize(
    ("guess", "found", "text"),
    [
        (None, 2.5, "measured 2.50 ms (no guess)"),
        (5.0, 2.5, "measured 2.50 ms, guessed 5: off by a factor of 2.0"),
        (2, 1_234, "measured 1,234 ms, guessed 2: off by a factor of 617.0"),
        (0, 2.5, "measured 2.50 ms, guessed 0"),
        (3.0, 0.0, "measured 0 ms, guessed 3"),
    ],
)
def test_a_guess_stands_beside_what_came_out(guess: float | None, found: float, text: str) -> None:
    assert beside(guess, found, "ms") == text
