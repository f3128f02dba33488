import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.models.tokenizer import load_tokenizer
from helpers.nano.text import AnswerText


def feed(pieces: list[str], stops: list[str]) -> tuple[list[str], AnswerText]:
    text = AnswerText(dict(enumerate(pieces)).get, stops)
    return [text.add(number) for number in range(len(pieces))], text


def test_without_stop_strings_every_piece_leaves_at_once() -> None:
    assert feed(["a", "b", ""], [])[0] == ["a", "b", ""]


def test_a_stop_string_that_spans_tokens_is_cut_off_with_what_follows() -> None:
    pieces, text = feed(["one ", "EN", "D", " two"], ["END"])
    assert pieces == ["one ", "", "", ""]
    assert text.stopped


def test_what_might_have_been_a_stop_string_is_sent_when_it_is_none() -> None:
    pieces, text = feed(["E", "N", "E", "N"], ["END"])
    assert "".join(pieces) == "EN"
    assert text.end() == "EN"
    assert not text.stopped


def test_the_first_of_several_stop_strings_counts() -> None:
    assert feed(["x b a"], ["a", "b"])[0] == ["x "]


@given(st.text("ab", max_size=30), st.lists(st.text("ab", min_size=1, max_size=3), min_size=1, max_size=3), st.data())
def test_streamed_text_is_the_whole_text_up_to_the_first_stop_string(text: str, stops: list[str], data: st.DataObject):
    pieces, rest = [], text
    while rest:
        size = data.draw(st.integers(1, 4))
        pieces.append(rest[:size])
        rest = rest[size:]
    parts, answer = feed(pieces, stops)
    # The earliest end wins where stop strings overlap in time: it is the first that is complete.
    ends = [text[:end].rfind(stop) for end in range(len(text) + 1) for stop in stops if text[:end].endswith(stop)]
    sent = "".join(parts) + ("" if answer.stopped else answer.end())
    assert answer.stopped == bool(ends)
    if not ends:
        assert sent == text
    else:
        assert text.startswith(sent)
        assert not any(stop in sent for stop in stops)


@pytest.mark.parametrize("words", ["naïve 日本 🙂 end", "plain"])
def test_no_piece_holds_half_a_character(words: str) -> None:
    tokenizer = load_tokenizer("course")
    text = AnswerText(tokenizer.open_stream())
    pieces = [text.add(token) for token in tokenizer.encode(words)]
    assert "".join(pieces) == words
    assert not any("\ufffd" in piece for piece in pieces)
