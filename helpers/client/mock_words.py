"""What the mock server says: chunks of every kind as bytes, framed for HTTP, made once and kept."""

from typing import Any

import orjson

TEMPLATE_TOKENS = 4
"""Tokens that the mock adds to a chat prompt, as a chat template does."""

WORDS = ("tokens", "leave", "here", "one", "by", "one", "at", "known", "times")


def word(number: int) -> str:
    """The token of this number."""
    return ("" if number == 0 else " ") + WORDS[number % len(WORDS)]


def answer_text(tokens: int) -> str:
    """The whole answer of that many tokens."""
    return "".join(word(number) for number in range(tokens))


def count_tokens(request: dict[str, Any], chat: bool) -> int:
    """Words of the prompt: the mock's tokens."""
    if not chat:
        return len(str(request.get("prompt", "")).split())
    return sum(len(str(message.get("content", "")).split()) for message in request.get("messages", []))


class Script:
    """Chunks by kind and number."""

    def __init__(self, model: str) -> None:
        self.model = model
        self.end = frame(b"data: [DONE]\n\n")
        self._tokens: dict[bool, list[bytes]] = {True: [], False: []}

    def _head(self, chat: bool, whole: bool = False) -> dict[str, Any]:
        kind = ("chat.completion" if whole else "chat.completion.chunk") if chat else "text_completion"
        return {"id": "mock", "object": kind, "created": 0, "model": self.model}

    def _chunk(self, chat: bool, delta: dict[str, str], finish_reason: str | None) -> bytes:
        content: dict[str, Any] = {"delta": delta} if chat else {"text": delta.get("content", "")}
        return event({**self._head(chat), "choices": [{"index": 0, **content, "finish_reason": finish_reason}]})

    def opening(self, chat: bool) -> bytes:
        """The chunk before the first token: a role, and no word yet."""
        return self._chunk(True, {"role": "assistant", "content": ""}, None) if chat else b""

    def token(self, chat: bool, number: int) -> bytes:
        """The chunk of one token."""
        known = self._tokens[chat]
        while len(known) <= number:
            known.append(self._chunk(chat, {"content": word(len(known))}, None))
        return known[number]

    def ending(self, chat: bool, finish_reason: str) -> bytes:
        """The chunk that says why it ends."""
        return self._chunk(chat, {}, finish_reason)

    def usage(self, prompt_tokens: int, output_tokens: int) -> bytes:
        """The chunk that counts."""
        return event({**self._head(True), "choices": [], "usage": usage(prompt_tokens, output_tokens)})

    def plain_answer(
        self, chat: bool, text: str, finish_reason: str, prompt_tokens: int, output_tokens: int
    ) -> dict[str, Any]:
        """A whole answer, without streaming."""
        content: dict[str, Any] = {"message": {"role": "assistant", "content": text}} if chat else {"text": text}
        return {
            **self._head(chat, whole=True),
            "choices": [{"index": 0, **content, "finish_reason": finish_reason}],
            "usage": usage(prompt_tokens, output_tokens),
        }


def usage(prompt_tokens: int, output_tokens: int) -> dict[str, Any]:
    """OpenAI's `usage`."""
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": output_tokens,
        "total_tokens": prompt_tokens + output_tokens,
        "prompt_tokens_details": {"cached_tokens": 0},
    }


def event(value: dict[str, Any]) -> bytes:
    """One server-sent event in one HTTP chunk."""
    return frame(b"data: " + orjson.dumps(value) + b"\n\n")


def frame(data: bytes) -> bytes:
    """One HTTP chunk."""
    return b"%x\r\n%s\r\n" % (len(data), data)
