"""How a model counts tokens: by its own tokenizer here, by the server's /tokenize, or, failing both, not at all.

A prompt's length is that of its text plus what the chat template adds around it.
"""

import http.client
from functools import lru_cache
from typing import Any, Protocol

from helpers.client.plain import ask
from helpers.client.wire import Endpoint
from helpers.errors import CourseError


class TokenCounter(Protocol):
    """Counts tokens of one model. `note` says what is inexact about it; empty if nothing is."""

    note: str

    def count(self, text: str) -> int:
        """Tokens of a text without template."""

    def piece(self, text: str) -> int:
        """Tokens of a short piece inside a text; remembered."""

    def template(self, roles: tuple[str, ...]) -> int:
        """Tokens that the chat template adds around messages of these roles."""


class Remembering:
    """Counts each piece, and each recent text, once."""

    note = ""

    def __init__(self) -> None:
        self.piece = lru_cache(maxsize=None)(self._count)
        self.count = lru_cache(maxsize=64)(self._count)

    def _count(self, text: str) -> int:
        raise NotImplementedError


class LocalTokens(Remembering):
    """The model's tokenizer, read from its files.

    Raises:
        CourseError: there is no such model here, or it has no tokenizer of its own (a .gguf file).
    """

    def __init__(self, model: str) -> None:
        from helpers.models.tokenizer import load_tokenizer

        super().__init__()
        self._tokenizer = load_tokenizer(model)

    def _count(self, text: str) -> int:
        return self._tokenizer.count(text)

    def template(self, roles: tuple[str, ...]) -> int:
        """Rendered with one word per message, less the words."""
        messages = [{"role": role, "content": "word"} for role in roles]
        return self.count(self._tokenizer.render_chat(messages)) - len(roles) * self.count("word")


class ServerTokens(Remembering):
    """The server's own counting: /tokenize (llama.cpp, vLLM, SGLang) for texts, `usage` for the template.

    Raises:
        LookupError: the server does not count.
    """

    def __init__(self, endpoint: Endpoint, model: str, api_key: str) -> None:
        super().__init__()
        self._endpoint, self._model, self._api_key = endpoint, model, api_key
        self._templates: dict[tuple[str, ...], int] = {}
        self.count("word")

    def _ask(self, path: str, payload: dict[str, Any]) -> dict[str, Any]:
        try:
            answer = ask(self._endpoint, "POST", path, {"model": self._model, **payload}, api_key=self._api_key)
        except (OSError, http.client.HTTPException) as error:
            raise LookupError(f"{path}: {error}") from error
        if answer.status != 200 or not isinstance(answer.value, dict):
            raise LookupError(f"{path} answers HTTP {answer.status}")
        return answer.value

    def _count(self, text: str) -> int:
        # llama.cpp reads `content`, vLLM and SGLang read `prompt`; each passes over the other.
        value = self._ask(
            f"{self._endpoint.root}/tokenize", {"content": text, "prompt": text, "add_special_tokens": False}
        )
        tokens = value.get("tokens")
        count = len(tokens) if isinstance(tokens, list) else value.get("count")
        if not isinstance(count, int):
            raise LookupError("/tokenize gives no tokens")
        return count

    def template(self, roles: tuple[str, ...]) -> int:
        """The prompt tokens that the server reports for one word per message, less the words."""
        if roles not in self._templates:
            messages = [{"role": role, "content": "word"} for role in roles]
            value = self._ask(f"{self._endpoint.base}/chat/completions", {"messages": messages, "max_tokens": 1})
            reported = (value.get("usage") or {}).get("prompt_tokens")
            if not isinstance(reported, int):
                raise LookupError("the server reports no prompt tokens")
            self._templates[roles] = reported - len(roles) * self.count("word")
        return self._templates[roles]


class WordTokens(Remembering):
    """Words, where nothing counts tokens: prompt lengths are then only roughly what was asked for."""

    note = "prompt lengths are in words: neither the model's tokenizer nor the server's /tokenize is there"

    def _count(self, text: str) -> int:
        return len(text.split())

    def template(self, roles: tuple[str, ...]) -> int:
        """Unknown, so nothing."""
        return 0


def find_tokens(endpoint: Endpoint, model: str, api_key: str) -> TokenCounter:
    """The best counting there is of a model that is served at an endpoint."""
    try:
        return LocalTokens(model)
    except CourseError:
        pass  # the model's files are not on this machine: the server counts
    try:
        counter = ServerTokens(endpoint, model, api_key)
        counter.template(("user",))
    except LookupError:
        return WordTokens()
    return counter
