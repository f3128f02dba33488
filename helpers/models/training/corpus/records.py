"""JSON records: a prompt names keys and values in one of many ways, the answer is the JSON object and nothing else."""

import json
import random

from helpers.models.training.corpus.phrases import PhraseSet, fill, is_held_out, load_templates
from helpers.models.training.corpus.words import (
    ANIMALS,
    COLORS,
    COMMON,
    PEOPLE,
    PLACES,
    THINGS,
    invent_word,
    random_number,
    random_string,
)

Turn = tuple[str, str]
Value = str | int | float | bool
Record = dict[str, Value]

KNOWN_KEYS: dict[str, str] = {
    "name": "person", "city": "place", "age": "count", "color": "color", "animal": "animal", "item": "thing",
    "price": "decimal", "count": "count", "user": "person", "country": "word", "id": "code", "status": "status",
    "active": "flag", "model": "model", "engine": "engine", "port": "port", "tokens": "count", "latency": "decimal",
    "temperature": "decimal", "owner": "person", "title": "words", "score": "count", "level": "count", "size": "count",
    "stream": "flag", "host": "code", "team": "words", "day": "day", "width": "count", "batch": "count",
}  # fmt: skip
_ENGINES = ("vLLM", "SGLang", "llama.cpp", "TensorRT-LLM", "Ollama")
_STATUSES = ("ok", "open", "closed", "ready", "failed", "running", "done", "waiting")
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MODELS = ("llama-8b", "qwen3-8b", "course", "gpt-oss-20b", "llama-70b", "qwen3-32b")

_TEMPLATES = load_templates("records")
# Common ways stand twice: they come twice as often.
_BINDINGS = PhraseSet(
    (
        *(
            "{k}: {v}",
            "{k} = {v}",
            "{k}={v}",
            "{k} is {v}",
            "{k} {v}",
            "the {k} is {v}",
            "{k} [set|equal|mapped] to {v}",
        ),
        *('"{k}": "{v}"', "{k} -> {v}", "{k}:{v}", "a {k} of {v}", '{k} "{v}"', "{k} being {v}", "{k} - {v}"),
        *("{v} [as|for|in|under] [the |]{k}", "'{k}': '{v}'", "{k}: {v}", "{k} = {v}", "{k} '{v}'", "{k} equals {v}"),
        *(
            "{k} [should|must|shall|will] be {v}",
            "[key|field] {k} [with|has|gets] [value|the value|] {v}",
            "{k} => {v}",
        ),
        *("{k} | {v}", "{k} := {v}", "[for|as] {k} [use|put|take|write] {v}", "[set|make|let] {k} [to|=|be] {v}"),
    )
)
_SEPARATORS = (", ", ", ", "; ", "\n", "\n- ", " and ", ", and ", " | ", ". ", "\n* ")


def ask(rng: random.Random, held_out: bool = False) -> list[Turn]:
    """One request for a JSON object, keys known or invented in equal parts."""
    known = rng.random() < 0.5
    return [ask_for(rng, make_record(rng, known), held_out)]


def ask_for(rng: random.Random, record: Record, held_out: bool = False) -> Turn:
    """A request for this record, and the record as JSON.

    Its phrasing is the introduction with the way to bind a value to a key and the way to separate the pairs.
    """
    while True:
        introduction = _TEMPLATES["introductions"].pick(rng)
        binding = _BINDINGS.pick(rng)
        separator = rng.choice(_SEPARATORS)
        if is_held_out(introduction + binding + separator) == held_out:
            break
    mixed = not held_out and rng.random() < 0.1
    pairs = [
        fill(_BINDINGS.pick(rng) if mixed else binding, k=key, v=_plain(value)).replace("  ", " ")
        for key, value in record.items()
    ]
    if separator in (" and ", ", ", ", and ") and len(pairs) > 1:
        last = rng.choice((separator, " and ", ", and "))
        body = separator.join(pairs[:-1]) + last + pairs[-1]
    else:
        body = separator.join(pairs)
        if separator.startswith("\n"):
            body = separator + body if rng.random() < 0.7 else body
    text = fill(introduction, **{":": rng.choice(("", "", ":"))})
    while "  " in text:
        text = text.replace("  ", " ")
    if body.startswith("\n"):
        text = text.rstrip(" ")
    request = text + body
    if not introduction or "JSON" not in text.upper() or rng.random() < 0.08:
        request += _TEMPLATES["endings"].sample(rng)
    elif rng.random() < 0.25:
        request += rng.choice((".", "?", " please", " Please."))
    if rng.random() < 0.1 and request[1:2].islower():
        request = request[0].lower() + request[1:]
    return request, json.dumps(record)


def make_record(rng: random.Random, known: bool) -> Record:
    """One to five pairs; `known` keys have the kind of value they usually have, others any."""
    size = rng.choice((1, 2, 2, 3, 3, 3, 4, 4, 5))
    if known:
        return {key: _value(rng, KNOWN_KEYS[key]) for key in rng.sample(list(KNOWN_KEYS), size)}
    record: Record = {}
    while len(record) < size:
        record[_invent_key(rng)] = random_number(rng) if rng.random() < 0.4 else random_string(rng)
    return record


def _invent_key(rng: random.Random) -> str:
    draw = rng.random()
    if draw < 0.45:
        return invent_word(rng)
    if draw < 0.65:
        return f"{rng.choice(COMMON)}_{rng.choice(COMMON)}"
    if draw < 0.75:
        return f"{invent_word(rng, 1)}_{rng.choice([*COMMON, invent_word(rng, 1)])}"
    if draw < 0.85:
        return f"{rng.choice(COMMON)}{rng.choice(COMMON).capitalize()}"
    return rng.choice(COMMON + THINGS)


def _value(rng: random.Random, kind: str) -> Value:
    if rng.random() < 0.15 and kind not in ("count", "decimal", "flag", "port"):
        return random_string(rng)
    match kind:
        case "person":
            return rng.choice(PEOPLE)
        case "place":
            return rng.choice(PLACES)
        case "count":
            return rng.randint(0, 999) if rng.random() < 0.8 else rng.randint(0, 99_999)
        case "decimal":
            return round(rng.uniform(0, 200), rng.choice((1, 2)))
        case "port":
            return rng.randint(1024, 65_535)
        case "flag":
            return rng.random() < 0.5
        case "words":
            return " ".join(rng.sample(COMMON, 2))
    choices = {
        "color": COLORS,
        "animal": ANIMALS,
        "thing": THINGS,
        "word": COMMON,
        "status": _STATUSES,
        "engine": _ENGINES,
        "model": _MODELS,
        "day": _DAYS,
    }
    return rng.choice(choices[kind]) if kind in choices else random_string(rng)


def _plain(value: Value) -> str:
    return json.dumps(value) if isinstance(value, bool) else str(value)
