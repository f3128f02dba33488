import pytest

from helpers.ui.advice import advise


@pytest.mark.parametrize(
    ("message", "status", "step"),
    [
        ("The engine is not available.", 503, "./course engines"),
        ("maximum context length is 4096 tokens", 400, "Shorten the text"),
        ("write: no space left on device", 0, "Delete a model"),
        ("There is no model 'x' here", 404, "Choose another model"),
        ("Too many requests", 429, "Wait a moment"),
        ("", 500, "Try again"),
        ("Anything", 418, "Try again"),
    ],
)
def test_every_error_says_what_to_do(message: str, status: int, step: str) -> None:
    said = advise(message, status)
    assert message in said
    assert step in said


def test_words_that_name_a_command_already_are_enough() -> None:
    said = "This key may not change models: ./course keys add NAME --models."
    assert advise(said, 403) == said
