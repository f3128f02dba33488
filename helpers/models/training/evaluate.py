"""The bars of the course model, judged on answers: any engine, or the NumPy model, that can answer a chat.

Prompts are fixed: questions written by hand (questions.toml, never trained on), and chats drawn with seeds and
phrasings that training never uses. `judge` gives one measured share for each bar.
"""

import json
import random
import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from helpers.models.card import Quality
from helpers.models.llama import Llama
from helpers.models.tokenizer import Tokenizer
from helpers.models.training.corpus import copying, lists, recall, records, terms
from helpers.models.training.glossary import ASPECTS, load_glossary

Messages = Sequence[dict[str, str]]
Accept = Callable[[str], bool]

RECALL_DISTANCE_TOKENS = 1500
FAR_RECALL_TOKENS = 3800
"""Nearly the whole context, twice as far as the longest training row."""
_SEED = 20_260
_QUESTIONS = Path(__file__).with_name("questions.toml")
_SYSTEM = {"role": "system", "content": "You are a helpful assistant."}


@dataclass(frozen=True)
class Answer:
    """What a model answered.

    Attributes:
        text: the words.
        finish_reason: "stop" if the model ended by itself, "length" if it was cut off.
        output_tokens: tokens generated.
    """

    text: str
    finish_reason: str
    output_tokens: int


class Ask(Protocol):
    """Anything that answers a chat."""

    def __call__(self, messages: Messages, *, temperature: float, max_tokens: int, seed: int) -> Answer:
        """One answer."""
        ...


@dataclass(frozen=True)
class Trial:
    """One prompt of a bar.

    Attributes:
        messages: what is asked.
        accept: from the answer's text to whether it holds.
        max_tokens: where the answer is cut off.
        subject: what it is about, for a list of misses.
    """

    messages: Messages
    accept: Accept
    max_tokens: int = 128
    subject: str = ""


@dataclass(frozen=True)
class Bar:
    """A share that has to be reached (None: only reported), over the trials that `make` gives."""

    name: str
    share: float | None
    make: Callable[[int], list[Trial]]
    trials: int


def make_questions(count: int) -> list[Trial]:
    """The first questions written by hand; every group of accepted words must have one in the answer."""
    entries = tomllib.loads(_QUESTIONS.read_text(encoding="utf-8"))["question"][:count]
    return [
        Trial(_chat(entry["text"]), _accept_groups(entry["accept"]), subject=f"{entry['term']}/{entry['aspect']}")
        for entry in entries
    ]


def make_held_out_terms(rough: bool) -> Callable[[int], list[Trial]]:
    """Glossary questions in phrasings that training never uses; the words that carry the fact must be in the answer.

    Args:
        rough: with the slips of case, punctuation and spelling that the questions of training have.
    """

    def make(count: int) -> list[Trial]:
        rng = random.Random(_SEED)
        trials = []
        for _ in range(count):
            term, aspect = rng.choice(load_glossary()), rng.choice(ASPECTS)
            question, _ = terms.ask_about(rng, term, aspect, held_out=True, rough=rough)
            accept = _accept_groups([[term.keys[aspect].lower()]])
            trials.append(Trial(_chat(question, rng), accept, subject=f"{term.name}/{aspect}"))
        return trials

    return make


def make_records(known: bool) -> Callable[[int], list[Trial]]:
    """JSON requests, half of them in phrasings that training never uses; the object must equal the record."""

    def make(count: int) -> list[Trial]:
        rng = random.Random(_SEED + 1 + known)
        trials = []
        for index in range(count):
            record = records.make_record(rng, known)
            question, _ = records.ask_for(rng, record, held_out=index % 2 == 1)
            trials.append(Trial(_chat(question, rng), _accept_record(record), 160, "record"))
        return trials

    return make


def make_parsing(count: int) -> list[Trial]:
    """The same requests, half with known keys; the answer must be one JSON object."""
    both = make_records(True)(count // 2) + make_records(False)(count - count // 2)
    return [Trial(trial.messages, lambda text: isinstance(parse(text), dict), 160, "record") for trial in both]


def make_recall(tokenizer: Tokenizer, distance_tokens: int = RECALL_DISTANCE_TOKENS) -> Callable[[int], list[Trial]]:
    """One fact, so many tokens of other text, then the question for it."""

    def make(count: int) -> list[Trial]:
        rng = random.Random(_SEED + 4)
        trials = []
        for _ in range(count):
            fact, question, value = recall.make_fact(rng)
            filler = recall.make_filler(rng, distance_tokens // 3)
            while tokenizer.count(filler) < distance_tokens:
                filler += " " + recall.make_filler(rng, 10)
            accept = _accept_groups([[value.lower()]])
            trials.append(Trial(_chat(f"{fact} {filler}\n\n{question}"), accept, 48, "recall"))
        return trials

    return make


def make_exact(
    ask: Callable[[random.Random, bool], list[tuple[str, str]]], offset: int
) -> Callable[[int], list[Trial]]:
    """Requests in held-out phrasings whose answer must be exact."""

    def make(count: int) -> list[Trial]:
        rng = random.Random(_SEED + offset)
        trials = []
        for _ in range(count):
            question, answer = ask(rng, True)[0]
            trials.append(Trial(_chat(question, rng), _accept_exactly(answer), 200, "exact"))
        return trials

    return make


def make_bars(tokenizer: Tokenizer) -> dict[str, Bar]:
    """All bars on answers, by a short key."""
    return {
        "questions": Bar("questions written by hand, answered with the fact", 0.85, make_questions, 200),
        "held-out": Bar("glossary questions in held-out wording", 0.95, make_held_out_terms(False), 400),
        "rough": Bar("the same, typed with slips and other words around", None, make_held_out_terms(True), 200),
        "parsing": Bar("JSON requests that parse", 0.98, make_parsing, 200),
        "known-keys": Bar("JSON with the prompt's values, known keys", 0.95, make_records(True), 200),
        "unseen-keys": Bar("JSON with the prompt's values, unseen keys", 0.80, make_records(False), 200),
        "recall": Bar(f"one fact recalled over {RECALL_DISTANCE_TOKENS} tokens", 0.50, make_recall(tokenizer), 40),
        "far-recall": Bar(
            f"one fact recalled over {FAR_RECALL_TOKENS} tokens", None, make_recall(tokenizer, FAR_RECALL_TOKENS), 20
        ),
        "lists": Bar("counting and lists, exact, held-out wording", None, make_exact(lists.ask, 5), 200),
        "copying": Bar("copying, exact, held-out wording", None, make_exact(copying.ask, 6), 200),
    }


def judge(
    ask: Ask, tokenizer: Tokenizer, keys: Sequence[str] = (), share: float = 1.0
) -> tuple[list[Quality], list[str]]:
    """Measures the bars at temperature 0.

    Args:
        ask: the model.
        tokenizer: its tokenizer.
        keys: of `make_bars`; all if empty.
        share: of each bar's trials that is run, 0 to 1.

    Returns:
        The measured shares, with one more for answers that ended by themselves (to trials of bars that have to be
        reached), and a line for each miss.
    """
    bars = make_bars(tokenizer)
    qualities, misses, ended = [], [], []
    for key in keys or bars:
        bar = bars[key]
        trials = bar.make(max(1, round(bar.trials * share)))
        held = 0
        for trial in trials:
            answer = ask(trial.messages, temperature=0.0, max_tokens=trial.max_tokens, seed=0)
            good = trial.accept(answer.text)
            held += good
            if bar.share is not None:
                ended.append(answer.finish_reason == "stop")
            if not good:
                misses.append(f"{key}\t{trial.subject}\t{trial.messages[-1]['content'][-200:]!r}\t{answer.text!r}")
        qualities.append(Quality(bar.name, held / len(trials), bar.share, len(trials)))
    if ended:
        qualities.append(Quality("answers that end by themselves", sum(ended) / len(ended), 0.99, len(ended)))
    return qualities, misses


def make_local_ask(model: Llama, tokenizer: Tokenizer) -> Ask:
    """The NumPy model as something that answers."""

    def ask(messages: Messages, *, temperature: float, max_tokens: int, seed: int) -> Answer:
        ids = tokenizer.encode(tokenizer.render_chat(messages))
        output = list(_until(model.generate(ids, max_tokens, temperature=temperature, seed=seed), tokenizer.end_id))
        stopped = output[-1:] == [tokenizer.end_id]
        text = tokenizer.decode(output[:-1] if stopped else output)
        return Answer(text, "stop" if stopped else "length", len(output))

    return ask


def parse(text: str) -> object:
    """The JSON value of a text, None if it is not JSON."""
    try:
        value: object = json.loads(text)
    except ValueError:
        return None
    return value


def _accept_groups(groups: Sequence[Sequence[str]]) -> Accept:
    return lambda text: all(any(words in text.lower() for words in group) for group in groups)


def _accept_record(record: records.Record) -> Accept:
    return lambda text: parse(text) == record


def _accept_exactly(answer: str) -> Accept:
    return lambda text: text.strip() == answer


def _until(tokens: Iterator[int], end: int) -> Iterator[int]:
    for token in tokens:
        yield token
        if token == end:
            return


def _chat(question: str, rng: random.Random | None = None) -> list[dict[str, str]]:
    user = {"role": "user", "content": question}
    return [user] if rng is None or rng.random() < 0.5 else [_SYSTEM, user]
