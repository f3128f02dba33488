from typing import Any

import jinja2
import pytest

from helpers.errors import UsageError
from helpers.models.tokenizer import load_tokenizer
from helpers.nano.ask import COMPLETION_TOKENS, Ask, read_ask

TOKENIZER = load_tokenizer("course")
CHAT = {"messages": [{"role": "user", "content": "Hi"}]}


def read(body: dict[str, Any], *, chat: bool = True) -> Ask:
    return read_ask(body, TOKENIZER, chat=chat, vocabulary_size=TOKENIZER.size)


def test_a_chat_is_rendered_by_the_models_template_and_has_openais_defaults() -> None:
    ask = read(CHAT)
    assert ask.ids == tuple(TOKENIZER.encode(TOKENIZER.render_chat(CHAT["messages"])))
    assert (ask.max_tokens, ask.temperature, ask.top_p, ask.top_k) == (None, 1.0, 1.0, 0)
    assert (ask.stops, ask.ignore_eos, ask.logprobs, ask.stream, ask.include_usage) == ((), False, None, False, False)


def test_content_may_come_in_parts() -> None:
    parts = [{"type": "text", "text": "H"}, {"type": "text", "text": "i"}]
    assert read({"messages": [{"role": "user", "content": parts}]}).ids == read(CHAT).ids


@pytest.mark.parametrize("prompt", ["Hi you", TOKENIZER.encode("Hi you"), ["Hi you"], [TOKENIZER.encode("Hi you")]])
def test_a_prompt_may_come_as_text_or_as_tokens(prompt: object) -> None:
    ask = read({"prompt": prompt}, chat=False)
    assert list(ask.ids) == TOKENIZER.encode("Hi you")
    assert ask.max_tokens == COMPLETION_TOKENS


def test_all_options_are_read() -> None:
    options = {"max_tokens": 5, "temperature": 0, "top_p": 0.5, "top_k": 7, "seed": 3, "stop": "x", "ignore_eos": True}
    more = {"logprobs": True, "top_logprobs": 2, "stream": True, "stream_options": {"include_usage": True}}
    ask = read({**CHAT, **options, **more})
    assert (ask.max_tokens, ask.temperature, ask.top_p, ask.top_k, ask.seed) == (5, 0.0, 0.5, 7, 3)
    assert (ask.stops, ask.ignore_eos, ask.logprobs, ask.stream, ask.include_usage) == (("x",), True, 2, True, True)


def test_without_a_seed_every_request_has_its_own() -> None:
    assert read(CHAT).seed != read(CHAT).seed


def test_values_that_change_nothing_are_taken() -> None:
    read({**CHAT, "n": 1, "presence_penalty": 0, "logit_bias": {}, "response_format": {"type": "text"}, "user": "me"})


@pytest.mark.parametrize(
    "wrong",
    [
        {"messages": []},
        {"messages": "Hi"},
        {"messages": [{"content": "Hi"}]},
        {"messages": [{"role": "user", "content": None}]},
        {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
        {"n": 2},
        {"tools": [{"type": "function"}]},
        {"response_format": {"type": "json_object"}},
        {"presence_penalty": 0.5},
        {"max_tokens": 0},
        {"max_tokens": -1},
        {"max_tokens": 1.5},
        {"max_tokens": True},
        {"temperature": -1},
        {"temperature": float("nan")},
        {"temperature": "hot"},
        {"top_p": 1.1},
        {"top_k": "many"},
        {"seed": 0.5},
        {"stop": ""},
        {"stop": ["a"] * 17},
        {"stop": [1]},
        {"stream": "yes"},
        {"stream_options": []},
        {"logprobs": 1},
        {"logprobs": True, "top_logprobs": 21},
        {"ignore_eos": 1},
    ],
)
def test_wrong_values_are_refused_by_name(wrong: dict[str, Any]) -> None:
    name = next(reversed(wrong))
    with pytest.raises(UsageError, match=name):
        read({**CHAT, **wrong})


def test_what_a_chat_template_refuses_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    template = jinja2.Template("{{ messages[0].content.nothing.at_all }}", undefined=jinja2.StrictUndefined)
    monkeypatch.setattr(TOKENIZER, "_template", template)
    with pytest.raises(UsageError, match="do not fit the model's chat template"):
        read(CHAT)


@pytest.mark.parametrize("prompt", [None, "", [], [1.0], [-1], [10**6], ["a", "b"], [[]], [True]])
def test_wrong_prompts_are_refused(prompt: object) -> None:
    with pytest.raises(UsageError, match="prompt"):
        read({"prompt": prompt}, chat=False)
