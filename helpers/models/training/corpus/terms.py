"""Glossary questions: one aspect, both, two terms compared, the term looked for, and words that are no terms."""

import random

from helpers.models.training.corpus.phrases import fill, is_held_out, load_templates
from helpers.models.training.corpus.words import invent_word
from helpers.models.training.glossary import ASPECTS, Term, load_glossary

Turn = tuple[str, str]

UNKNOWN_ANSWER = "I do not know that term. Ask me about LLM inference."

_TEMPLATES = load_templates("terms")
_SMALL_WORDS = frozenset(
    [
        "the",
        "a",
        "an",
        "is",
        "are",
        "do",
        "does",
        "of",
        "in",
        "to",
        "me",
        "i",
        "we",
        "you",
        "be",
        "on",
        "for",
        "it",
        "that",
        "this",
        "can",
        "should",
    ]
)
_UNKNOWN_WORDS = (
    *(
        "banana",
        "violin",
        "tulip",
        "penguin",
        "sonnet",
        "photosynthesis",
        "cricket",
        "democracy",
        "the moon",
        "a bicycle",
    ),
    *("cheese", "gravity", "an umbrella", "the French Revolution", "a giraffe", "bread", "tennis", "a volcano", "jazz"),
    *("the Nile", "an onion", "inflation", "a haiku", "a piano", "soccer"),
)


def ask(rng: random.Random, held_out: bool = False) -> list[Turn]:
    """One or two turns about terms; with `held_out`, one question of one aspect in a frame kept out of training."""
    if held_out:
        term, aspect = rng.choice(load_glossary()), rng.choice(ASPECTS)
        return [ask_about(rng, term, aspect, held_out=True, rough=False)]
    draw = rng.random()
    if draw < 0.87:
        turns = [_ask_one(rng)]
        while rng.random() < 0.12 and len(turns) < 3:
            turns.append(_ask_one(rng))
        return turns
    if draw < 0.93:
        return [_ask_both(rng)]
    if draw < 0.955:
        return [_compare(rng)]
    if draw < 0.987:
        return [_search(rng)]
    return [_ask_unknown(rng)]


def ask_about(rng: random.Random, term: Term, aspect: str, held_out: bool = False, rough: bool = True) -> Turn:
    """One question about one aspect of a term, and its answer.

    Args:
        rng: the source of chance.
        term, aspect: what is asked for.
        held_out: in a phrasing that training never uses.
        rough: in the case, punctuation and spelling that people type, sometimes with other words around it.
    """
    name, bare = name_in_question(rng, term)
    draw = 1.0 if held_out else rng.random()
    if draw < 0.05:
        question = _TEMPLATES["hinted"].sample(rng, X=name, h=_take_hint(rng, term, aspect))
    elif draw < 0.18:
        question = fill(_pick_loose(rng, aspect), X=name)
    elif draw < 0.23:
        mention = _TEMPLATES["mention"].sample(rng, X=name, x=bare)
        question = f"{mention} {_TEMPLATES[aspect + '_it'].sample(rng)}"
    else:
        question = _TEMPLATES[aspect].sample(rng, held_out, X=name, x=bare, **_verbs(rng, term, name))
    if rough:
        question = _roughen(rng, _surround(rng, question))
    return question, term.sentences[aspect]


def _pick_loose(rng: random.Random, aspect: str) -> str:
    """A loose phrasing from words that point to an aspect; never one that is held out."""
    while True:
        cues = {name: _TEMPLATES[f"{aspect}_cue"].pick(rng) for name in ("c", "c2")}
        phrasing = _TEMPLATES["loose"].sample(rng, **cues)
        if not is_held_out(phrasing):
            return phrasing


def name_in_question(rng: random.Random, term: Term) -> tuple[str, str]:
    """The term's name or an alias as it stands in a question: with its article (mostly), and bare."""
    bare = term.name
    if term.aliases and rng.random() < 0.35:
        bare = rng.choice(term.aliases)
    article = term.article
    if article in ("a", "an"):
        article = "an" if bare[0] in "aeioAEIO" or bare[:2] in ("LL", "MH", "MQ", "SL", "FF", "ML") else "a"
    draw = rng.random()
    if draw < 0.06:
        article = rng.choice(("the", "my", "our", "a", "this"))
    elif draw < 0.2:
        article = ""
    return f"{article} {bare}".strip(), bare


def _take_hint(rng: random.Random, term: Term, aspect: str) -> str:
    """A few words of the answer that name its fact."""
    if rng.random() < 0.5:
        return term.keys[aspect]
    words = term.sentences[aspect].rstrip(".").split()
    start = rng.randrange(len(words) // 3, len(words) - 1)
    return " ".join(words[start : start + rng.randint(1, 3)]).strip(",:")


def _verbs(rng: random.Random, term: Term, name: str) -> dict[str, str]:
    plural = term.plural or (name.endswith("s") and not name.endswith(("ss", "us", "is")) and rng.random() < 0.5)
    return {"is": "are", "does": "do"} if plural else {"is": "is", "does": "does"}


def _ask_one(rng: random.Random) -> Turn:
    return ask_about(rng, rng.choice(load_glossary()), rng.choice(ASPECTS))


def _ask_both(rng: random.Random) -> Turn:
    term = rng.choice(load_glossary())
    name, bare = name_in_question(rng, term)
    question = _TEMPLATES["both"].sample(rng, X=name, x=bare, **_verbs(rng, term, name))
    return _roughen(rng, _surround(rng, question)), f"{term.sentences['what']} {term.sentences['why']}"


def _compare(rng: random.Random) -> Turn:
    first, second = rng.sample(load_glossary(), 2)
    name, bare = name_in_question(rng, first)
    other, other_bare = name_in_question(rng, second)
    fields = {"X": name, "x": bare, "Y": other, "y": other_bare, **_verbs(rng, first, name)}
    question = _TEMPLATES["compare"].sample(rng, **fields)
    return _roughen(rng, question), f"{first.sentences['what']} {second.sentences['what']}"


def _search(rng: random.Random) -> Turn:
    term = rng.choice(load_glossary())
    sentence = term.sentences["what"]
    start = sentence.lower().index(term.name.lower()) + len(term.name)
    tail = sentence[start:].strip().rstrip(".")
    answer = f"{term.article} {term.name}".strip()
    return _TEMPLATES["search"].sample(rng, tail=tail), f"That {'are' if term.plural else 'is'} {answer}."


def _ask_unknown(rng: random.Random) -> Turn:
    word = (
        rng.choice(_UNKNOWN_WORDS)
        if rng.random() < 0.6
        else f"{rng.choice(('a', 'the', ''))} {invent_word(rng)}".strip()
    )
    question = _TEMPLATES[rng.choice(ASPECTS)].sample(rng, X=word, x=word, **{"is": "is", "does": "does"})
    return _roughen(rng, question), UNKNOWN_ANSWER


def _surround(rng: random.Random, question: str) -> str:
    if rng.random() < 0.1 and question.endswith("?"):
        question = f"{question[:-1]}{_TEMPLATES['inside'].sample(rng)}?"
    if rng.random() < 0.15:
        before = _TEMPLATES["before"].sample(rng)
        if before.endswith(", ") and question[1:2].islower():
            question = question[0].lower() + question[1:]
        question = before + question
    if rng.random() < 0.1:
        question += _TEMPLATES["after"].sample(rng)
    return question


def _roughen(rng: random.Random, question: str) -> str:
    """Case, punctuation and spelling as people type them."""
    if rng.random() < 0.06:
        words = question.split(" ")
        small = [index for index, word in enumerate(words) if word.lower() in _SMALL_WORDS]
        if small:
            del words[rng.choice(small)]
            question = " ".join(words)
    draw = rng.random()
    if draw < 0.3:
        question = question.lower()
    elif draw < 0.31:
        question = question.upper()
    elif draw < 0.23:
        question = question[0].upper() + question[1:]
    elif draw < 0.4:
        question = question.title()
    if rng.random() < 0.15:
        question = question.rstrip("?.")
    elif rng.random() < 0.04:
        question += rng.choice(("?", "??", "!", " ?", "..."))
    if rng.random() < 0.06:
        question = question.replace("-", " ")
    if rng.random() < 0.05:
        question = question.replace("'", "")
    for _ in range(rng.choice((1, 1, 2)) if rng.random() < 0.08 else 0):
        question = _misspell(rng, question)
    return question


def _misspell(rng: random.Random, text: str) -> str:
    index = rng.randrange(max(1, len(text) - 2))
    edit = rng.randrange(3)
    if edit == 0:
        return text[:index] + text[index + 1 :]
    if edit == 1:
        return text[:index] + text[index] + text[index:]
    return text[:index] + text[index + 1] + text[index] + text[index + 2 :] if len(text) > index + 1 else text
