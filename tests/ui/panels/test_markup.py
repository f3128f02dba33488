"""What panels are made of can be read: ink against ground, text that is no markup."""

import pytest

from helpers.bench.theme import COLOURS
from helpers.errors import CourseError
from helpers.ui.panels import markup


def contrast(one: str, other: str) -> float:
    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("ground", [*COLOURS, "#000000", "#ffffff", "#4b4f57", "#7b7f85"])
def test_ink_can_be_read_on_every_colour_of_the_course(ground: str) -> None:
    assert contrast(markup.ink_on(ground), ground) >= 4.5


def test_text_is_never_markup() -> None:
    evil = "<img src=x onerror=alert(1)>\"'"
    parts = [
        markup.framed(evil, evil, "", evil),
        markup.figures({evil: evil}),
        markup.table([evil], [[evil]], evil),
        markup.swatch("#000000", evil, evil),
        markup.preformatted(evil),
        markup.failure(CourseError(evil, evil, evil)),
        markup.bars(evil, [1.0], evil, "#000000"),
    ]
    assert not any("<img" in part for part in parts)


def test_bars_are_measured_from_zero_to_the_largest() -> None:
    html = markup.bars("TTFT", [1.0, 4.0, 2.0], "ms", "#1F83C7")
    assert [part.split("%")[0] for part in html.split("height:")[2:]] == ["25", "100", "50"]
    assert 'aria-label="TTFT: at most 4.00, last 2.00 ms"' in html
