import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.api.openai import OPENAI
from helpers.api.refusal import Refused
from helpers.api.settings import Limits

CHAT, COMPLETIONS, EMBEDDINGS = OPENAI.values()
MESSAGES = [{"role": "user", "content": "hi"}]


def parse(**fields: Any) -> Any:
    return CHAT.parse(
        json.dumps({"model": "m", "messages": MESSAGES, **fields}).encode(), Limits(max_output_tokens=100)
    )


@pytest.mark.parametrize(
    ("param", "value"),
    [
        ("model", 7),
        ("model", ""),
        ("model", "x" * 257),
        ("messages", []),
        ("messages", "hi"),
        ("messages", None),
        ("stream", "yes"),
        ("stream", 1),
        ("n", 0),
        ("n", 17),
        ("n", True),
        ("max_tokens", 0),
        ("max_tokens", 101),
        ("max_tokens", 1.5),
        ("max_tokens", True),
    ],
)
def test_a_wrong_field_is_named(param: str, value: Any) -> None:
    with pytest.raises(Refused) as refused:
        parse(**{param: value})
    assert (refused.value.status, refused.value.param) == (400, param)


def test_max_completion_tokens_counts_too_and_null_means_absent() -> None:
    with pytest.raises(Refused):
        parse(max_completion_tokens=101)
    assert parse(max_tokens=None, stream=None, n=None).output_tokens == 0
    assert parse(max_completion_tokens=50, n=2).output_tokens == 100


def test_prompt_and_output_together_are_bounded() -> None:
    body = json.dumps({"model": "m", "messages": MESSAGES, "max_tokens": 90, "user": "x" * 400}).encode()
    with pytest.raises(Refused) as refused:
        CHAT.parse(body, Limits(max_output_tokens=100, max_context_tokens=150))
    assert refused.value.code == "context_length_exceeded"


def test_images_count_as_few_tokens() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "QUJD" * 100_000}}
    assert parse(messages=[{"role": "user", "content": [image]}]).prompt_tokens < 100


def test_one_conversation_has_one_prefix_whatever_else_changes() -> None:
    long = [{"role": "system", "content": "s" * 2000}]
    first = parse(messages=long, temperature=0)
    second = CHAT.parse(json.dumps({"seed": 1, "messages": [*long, *MESSAGES], "model": "m"}).encode(), Limits())
    assert first.prefix == second.prefix
    assert parse(messages=[{"role": "system", "content": "t" * 2000}]).prefix != first.prefix


@pytest.mark.parametrize("prompt", ["", "a", ["a", "b"], [1, 2, 3]])
def test_completions_and_embeddings_take_text_and_lists(prompt: Any) -> None:
    COMPLETIONS.parse(json.dumps({"model": "m", "prompt": prompt}).encode(), Limits())
    EMBEDDINGS.parse(json.dumps({"model": "m", "input": prompt}).encode(), Limits())
    with pytest.raises(Refused):
        COMPLETIONS.parse(json.dumps({"model": "m", "input": prompt}).encode(), Limits())


@given(st.binary(max_size=300))
def test_any_bytes_are_taken_or_refused(body: bytes) -> None:
    for dialect in (CHAT, COMPLETIONS, EMBEDDINGS):
        with contextlib.suppress(Refused):
            dialect.parse(body, Limits())


JSON_VALUES: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.fixed_dictionaries({}, optional=dict.fromkeys(("model", "messages", "stream", "n", "max_tokens"), JSON_VALUES))
)
def test_any_json_is_taken_or_refused(fields: dict[str, Any]) -> None:
    with contextlib.suppress(Refused):
        CHAT.parse(json.dumps(fields).encode(), Limits())
