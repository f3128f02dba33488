"""Greedy answers of two engines, compared until the model itself is undecided."""

from dataclasses import dataclass
from typing import Any

from helpers.client.plain import ask
from helpers.client.wire import Endpoint
from helpers.engines.server import Server

END = ("", "<|im_end|>")
"""How engines show the token that ends an answer: llama.cpp as nothing, vLLM by name."""

CLOSE = 1e-3
"""Difference of the two best log-probabilities at which float32 sums in another order may choose either."""


@dataclass(frozen=True)
class Answer:
    """Tokens, and for each how far the second best was."""

    prompt_tokens: int
    tokens: tuple[bytes, ...]
    gaps: tuple[float, ...]


def greedy(server: Server, prompt: str, max_tokens: int) -> Answer:
    endpoint = Endpoint.parse(server.url)
    payload: dict[str, Any] = {
        "model": server.model,
        "messages": [{"role": "user", "content": prompt}],
        "max_tokens": max_tokens,
        "temperature": 0.0,
        "logprobs": True,
        "top_logprobs": 2,
    }
    answer = ask(endpoint, "POST", f"{endpoint.base}/chat/completions", payload, timeout_s=120)
    assert answer.status == 200, answer.body
    steps = answer.value["choices"][0]["logprobs"]["content"]
    return Answer(
        answer.value["usage"]["prompt_tokens"],
        tuple(b"" if step["token"] in END else step["token"].encode() for step in steps),
        tuple(step["top_logprobs"][0]["logprob"] - step["top_logprobs"][1]["logprob"] for step in steps),
    )


def undecided_at(one: Answer, other: Answer) -> int | None:
    """Where the comparison stops because the two best tokens are too close; None if it goes to the end.

    Raises:
        AssertionError: the answers differ before.
    """
    assert one.prompt_tokens == other.prompt_tokens
    steps = zip(one.tokens, other.tokens, one.gaps, other.gaps, strict=False)
    for number, (token, same, gap, other_gap) in enumerate(steps):
        if min(gap, other_gap) < CLOSE:
            return number
        assert token == same, (number, one.tokens[: number + 1], other.tokens[: number + 1], gap, other_gap)
    assert len(one.tokens) == len(other.tokens)
    return None
