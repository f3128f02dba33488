"""Code-like text: half predictable, since the frame is fixed and the names are not."""

import random

from helpers.models.training.corpus.phrases import PhraseSet
from helpers.models.training.corpus.words import COMMON, THINGS, invent_word

Turn = tuple[str, str]

_REQUEST = PhraseSet(
    train=[
        "[Write|Give me|Show me|Make|Implement|Code|Create] a [Python |short |simple |]function that {d}[.|]",
        "[Write|Give me|Show me] [Python code|code|a function] [that|which] {d}[.|]",
        "[Python|python|Code]: [a function that |]{d}[.|]",
        "[How do I write|Can you write|Please write] a function that {d}[?|]",
        "[Write|Show|Make] [some |a piece of |a bit of |][Python |]code[.|]",
        "[Function|function|Python function] `{n}` that {d}[.|]",
    ],
    held_out=["Program a function that {d}.", "I need Python which {d}."],
)
_BODIES: tuple[tuple[str, str], ...] = (
    ("adds two numbers", "def {n}({a}, {b}):\n    return {a} + {b}"),
    ("multiplies two numbers", "def {n}({a}, {b}):\n    return {a} * {b}"),
    ("sums a list", "def {n}({a}):\n    {r} = 0\n    for {e} in {a}:\n        {r} += {e}\n    return {r}"),
    ("counts items", "def {n}({a}, {b}):\n    {r} = 0\n    for {e} in {a}:\n        if {e} == {b}:\n            {r} += 1\n    return {r}"),
    ("finds the largest item", "def {n}({a}):\n    {r} = {a}[0]\n    for {e} in {a}:\n        if {e} > {r}:\n            {r} = {e}\n    return {r}"),
    ("computes the mean", "def {n}({a}):\n    {r} = sum({a})\n    return {r} / len({a})"),
    ("filters a list", "def {n}({a}, {b}):\n    {r} = []\n    for {e} in {a}:\n        if {e} > {b}:\n            {r}.append({e})\n    return {r}"),
    ("reverses a text", "def {n}({a}):\n    {r} = {a}[::-1]\n    return {r}"),
    ("reads a file", 'def {n}({a}):\n    with open({a}) as {b}:\n        {r} = {b}.read()\n    return {r}'),
    ("doubles each item", "def {n}({a}):\n    {r} = []\n    for {e} in {a}:\n        {r}.append({e} * {k})\n    return {r}"),
    ("makes a class", 'class {N}:\n    def __init__(self, {a}, {b}):\n        self.{a} = {a}\n        self.{b} = {b}\n\n    def {n}(self):\n        return self.{a}'),
    ("prints a message", 'def {n}({a}):\n    {r} = "{w} {v}"\n    print({r}, {a})\n    return {r}'),
    ("waits for a server", "def {n}({a}, {b}={k}):\n    for {e} in range({b}):\n        if {a}.ready():\n            return True\n    return False"),
    ("sends a request", 'def {n}({a}):\n    {r} = client.post("/{w}/{v}", json={"{b}": {a}})\n    return {r}.json()'),
    ("makes a dictionary", 'def {n}({a}, {b}):\n    {r} = {"{w}": {a}, "{v}": {b}}\n    return {r}'),
    ("checks a value", 'def {n}({a}):\n    if {a} < {k}:\n        raise ValueError("{w} {v}")\n    return {a}'),
)  # fmt: skip


def ask(rng: random.Random, held_out: bool = False) -> list[Turn]:
    """One request for code."""
    description, body = rng.choice(_BODIES)
    names = rng.sample(COMMON + THINGS, 6)
    if rng.random() < 0.3:
        names[0] = invent_word(rng)
    function = "_".join(names[:2])
    text = body
    fields = {
        "n": function,
        "N": names[0].capitalize(),
        "a": names[2],
        "b": names[3],
        "r": names[4],
        "e": names[5],
        "w": names[0],
        "v": names[1],
        "k": str(rng.randint(2, 99)),
    }
    for field, value in fields.items():
        text = text.replace("{" + field + "}", value)
    return [(_REQUEST.sample(rng, held_out, d=description, n=function), text)]
