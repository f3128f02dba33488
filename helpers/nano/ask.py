"""What a client asks for: OpenAI's completion and chat completion requests, read strictly.

A field that would change the answer and that this engine does not have is refused; names that change nothing are
passed over.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jinja2 import TemplateError

from helpers.errors import UsageError
from helpers.models.tokenizer import Tokenizer

COMPLETION_TOKENS = 16
"""Length of a text completion that asks for none (OpenAI's API reference, completions); a chat has what is left."""

MOST_STOPS = 16
MOST_LOGPROBS = 20
"""OpenAI's limit for top_logprobs."""

NEUTRAL: Mapping[str, tuple[Any, ...]] = {
    "n": (1,),
    "best_of": (1,),
    "echo": (False,),
    "suffix": ("",),
    "presence_penalty": (0,),
    "frequency_penalty": (0,),
    "logit_bias": ({},),
    "tools": ([],),
    "tool_choice": ("none", "auto"),
    "response_format": ({"type": "text"},),
}
"""Fields of OpenAI's that this engine has not -> the values, besides null, that change nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A request that holds.

    Attributes:
        chat: whether the answer is a message or a text.
        ids: the prompt's tokens.
        max_tokens: at most this many tokens are generated; None: what the context has left.
        top_p: the smallest set of tokens with this much probability is drawn from; 1: all.
        top_k: only this many of the best tokens are drawn from; 0: all.
        seed: of the drawing.
        stops: strings that end the answer.
        ignore_eos: the end token does not end it.
        logprobs: how many alternatives are told beside each token; None: no log-probabilities at all.
        stream, include_usage: how the answer is sent.
    """

    chat: bool
    ids: tuple[int, ...]
    max_tokens: int | None
    temperature: float
    top_p: float
    top_k: int
    seed: int
    stops: tuple[str, ...]
    ignore_eos: bool
    logprobs: int | None
    stream: bool
    include_usage: bool


def read_ask(body: Mapping[str, Any], tokenizer: Tokenizer, *, chat: bool, vocabulary_size: int) -> Ask:
    """Read a request's JSON.

    Raises:
        UsageError: a field has a wrong value, or asks for what this engine does not have.
    """
    for name, values in NEUTRAL.items():
        value = body.get(name)
        if value is not None and value not in values:
            raise UsageError(f"{name}={value!r} is not supported", "nano has no such feature", f"leave {name} out")
    max_tokens = _whole(body, "max_completion_tokens" if "max_completion_tokens" in body else "max_tokens", 1, 10**9)
    seed = _whole(body, "seed", -(2**63), 2**63)
    top_k = _whole(body, "top_k", -1, 10**9)
    return Ask(
        chat=chat,
        ids=_read_chat(body, tokenizer) if chat else _read_prompt(body, tokenizer, vocabulary_size),
        max_tokens=max_tokens if max_tokens is not None or chat else COMPLETION_TOKENS,
        temperature=_number(body, "temperature", 1.0, 0.0, 100.0),
        top_p=_number(body, "top_p", 1.0, 0.0, 1.0),
        top_k=max(0, top_k or 0),
        seed=random.getrandbits(63) if seed is None else seed % 2**63,
        stops=_read_stops(body),
        ignore_eos=_flag(body, "ignore_eos"),
        logprobs=_read_logprobs(body, chat),
        stream=_flag(body, "stream"),
        include_usage=_flag(_mapping(body, "stream_options"), "include_usage"),
    )


def _read_chat(body: Mapping[str, Any], tokenizer: Tokenizer) -> tuple[int, ...]:
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise UsageError("messages must be a list with at least one message")
    read = []
    for number, message in enumerate(messages):
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            raise UsageError(f"messages[{number}] must be an object with a role and a content")
        read.append({"role": message["role"], "content": _read_content(message.get("content"), number)})
    try:
        text = tokenizer.render_chat(read)
    except TemplateError as error:
        raise UsageError(f"messages do not fit the model's chat template: {error}") from error
    return tuple(tokenizer.encode(text))


def _read_content(content: Any, number: int) -> str:
    if isinstance(content, str):
        return content
    texts = []
    for part in content if isinstance(content, list) and content else [None]:
        text = part.get("text") if isinstance(part, dict) else None
        if not isinstance(text, str):
            raise UsageError(f"messages[{number}].content must be a text, or a list of text parts")
        texts.append(text)
    return "".join(texts)


def _read_prompt(body: Mapping[str, Any], tokenizer: Tokenizer, vocabulary_size: int) -> tuple[int, ...]:
    prompt = body.get("prompt")
    if isinstance(prompt, list) and len(prompt) == 1 and isinstance(prompt[0], str | list):
        prompt = prompt[0]
    if isinstance(prompt, str):
        ids = tokenizer.encode(prompt)
    elif isinstance(prompt, list) and all(isinstance(part, int) and not isinstance(part, bool) for part in prompt):
        ids = prompt
    else:
        raise UsageError("prompt must be one text, or one list of token ids")
    if not ids:
        raise UsageError("the prompt is empty", "it has no token to continue from")
    strange = next((token for token in ids if not 0 <= token < vocabulary_size), None)
    if strange is not None:
        raise UsageError(f"the prompt has the token id {strange}", f"the vocabulary has {vocabulary_size}")
    return tuple(ids)


def _read_stops(body: Mapping[str, Any]) -> tuple[str, ...]:
    stops = body.get("stop")
    stops = [] if stops is None else [stops] if isinstance(stops, str) else stops
    if not isinstance(stops, list) or len(stops) > MOST_STOPS or not all(isinstance(s, str) and s for s in stops):
        raise UsageError(f"stop must be a text, or a list of at most {MOST_STOPS} texts, none of them empty")
    return tuple(stops)


def _read_logprobs(body: Mapping[str, Any], chat: bool) -> int | None:
    if not chat:
        return _whole(body, "logprobs", 0, MOST_LOGPROBS)
    return (_whole(body, "top_logprobs", 0, MOST_LOGPROBS) or 0) if _flag(body, "logprobs") else None


def _mapping(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = body.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise UsageError(f"{name} must be an object, not {value!r}")
    return value


def _flag(body: Mapping[str, Any], name: str) -> bool:
    value = body.get(name)
    if value is None:
        return False
    if not isinstance(value, bool):
        raise UsageError(f"{name} must be true or false, not {value!r}")
    return value


def _whole(body: Mapping[str, Any], name: str, least: int, most: int) -> int | None:
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise UsageError(f"{name} must be a whole number, not {value!r}")
    if not least <= value <= most:
        raise UsageError(f"{name} cannot be {value}", f"it lies between {least} and {most}")
    return value


def _number(body: Mapping[str, Any], name: str, default: float, least: float, most: float) -> float:
    value = body.get(name)
    if value is None:
        return default
    # Written so that NaN, which compares as false, is refused.
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise UsageError(f"{name} cannot be {value!r}", f"it lies between {least:g} and {most:g}")
    return float(value)
