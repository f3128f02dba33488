import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from helpers.errors import MissingError
from helpers.models.tokenizer import load_tokenizer
from helpers.models.training import rebuild
from helpers.models.training.corpus import lists, records
from helpers.models.training.evaluate import (
    Answer,
    judge,
    make_bars,
    make_exact,
    make_held_out_terms,
    make_records,
    parse,
)
from helpers.models.training.glossary import load_glossary

Messages = Sequence[dict[str, str]]


def refuse(messages: Messages, *, temperature: float, max_tokens: int, seed: int) -> Answer:
    return Answer("I do not know.", "length", max_tokens)


def test_a_model_that_knows_nothing_reaches_nothing(tiny_model: Path) -> None:
    qualities, misses = judge(refuse, load_tokenizer(str(tiny_model)), share=0.05)
    assert [quality.value for quality in qualities] == [0.0] * len(qualities)
    assert len(misses) == sum(quality.trials for quality in qualities[:-1])
    assert qualities[-1].trials == sum(quality.trials for quality in qualities[:-1] if quality.bar is not None)
    assert not any(quality.holds for quality in qualities if quality.bar is not None)


def test_a_bars_trials_are_the_same_each_time_and_accept_the_right_answer() -> None:
    first, again = make_held_out_terms(True)(40), make_held_out_terms(True)(40)
    assert [trial.messages for trial in first] == [trial.messages for trial in again]
    sentences = [sentence for term in load_glossary() for sentence in term.sentences.values()]
    for trial in first:
        assert any(trial.accept(sentence) for sentence in sentences)
        assert not trial.accept("A token is a token.")


def test_records_are_compared_as_values() -> None:
    assert parse('{"a": 1}') == {"a": 1}
    assert parse("{'a': 1}") is None
    trial = make_records(True)(1)[0]
    assert not trial.accept("{}")
    assert not trial.accept("no JSON")


@pytest.mark.parametrize("ask", [lists.ask, records.ask])
def test_exact_answers_must_be_exact(ask: object) -> None:
    trial = make_exact(ask, 5)(1)[0]  # type: ignore[arg-type]
    assert not trial.accept("1, 2, 3")


def test_recall_is_asked_over_the_distance_it_promises(tiny_model: Path) -> None:
    tokenizer = load_tokenizer(str(tiny_model))
    trial = make_bars(tokenizer)["recall"].make(1)[0]
    assert tokenizer.count(trial.messages[0]["content"]) >= 1500


def test_rebuild_without_torch_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingError, match="needs PyTorch") as caught:
        rebuild(tmp_path)
    assert caught.value.exit_code == 3
    assert "pip install torch" in caught.value.next_command
