"""One completion on its way to a client: tokens of the engine in, OpenAI's chunks or one whole answer out."""

import time
from collections.abc import Sequence
from typing import Any

from helpers.models.tokenizer import Tokenizer
from helpers.nano.ask import Ask
from helpers.nano.connection import Connection
from helpers.nano.engine import Output
from helpers.nano.request import Request
from helpers.nano.text import AnswerText


class Answer:
    """An answer under way.

    Args:
        ask: what was asked for.
        request_id: unique in this server.
        model: the name that answers carry.
        tokenizer: the model's.
        connection: the client's.

    Attributes:
        asked_s, first_s, last_s: when it was asked for, and when the first and the newest token came, on
            `time.perf_counter`'s clock.
        tokens: generated so far and told to the client.
        ended: nothing more will be written.
    """

    def __init__(self, ask: Ask, request_id: str, model: str, tokenizer: Tokenizer, connection: Connection) -> None:
        self.ask = ask
        self.request_id = request_id
        self.asked_s = time.perf_counter()
        self.first_s: float | None = None
        self.last_s = self.asked_s
        self.tokens = 0
        self.ended = False
        self._tokenizer = tokenizer
        self._connection = connection
        self._text = AnswerText(tokenizer.open_stream(), ask.stops)
        self._pieces: list[str] = []
        self._logprobs: list[dict[str, Any]] = []
        whole = "chat.completion" if ask.chat else "text_completion"
        self._head = {
            "id": request_id,
            "object": f"{whole}.chunk" if ask.chat and ask.stream else whole,
            "created": int(time.time()),
            "model": model,
        }

    def take(self, output: Output) -> None:
        """Take what one step of the engine yielded, and write what can be sent of it."""
        self.last_s = time.perf_counter()
        finish_reason = output.finish_reason
        events = []
        if self.first_s is None:
            self.first_s = self.last_s
            if self.ask.stream:
                self._connection.start_stream()
                if self.ask.chat:
                    events.append(self._chunk({"role": "assistant", "content": ""}))
        pieces, told = [], []
        for number, token in enumerate(output.tokens):
            pieces.append(self._text.add(token))
            self.tokens += 1
            if self.ask.logprobs is not None:
                told.append(self._describe(output.logprobs[number]))
            if self._text.stopped:
                finish_reason = "stop"
                break
        if finish_reason is not None and not self._text.stopped:
            pieces.append(self._text.end())
        text = "".join(pieces)
        self._pieces.append(text)
        self._logprobs += told
        if self.ask.stream and (text or told):
            events.append(self._chunk({"content": text}, told))
        self.ended = finish_reason is not None
        if not self.ended:
            if events:
                self._connection.send_events(events)
            return
        usage = self._usage(output.request)
        if not self.ask.stream:
            self._connection.reply({**self._head, "choices": [self._whole(finish_reason)], **usage})
            return
        events.append(self._chunk({}, finish_reason=finish_reason))
        if self.ask.include_usage:
            events.append({**self._head, "choices": [], **usage})
        self._connection.send_events(events, last=True)

    def fail(self, status: int, message: str) -> None:
        """End it with an error."""
        self.ended = True
        if self.ask.stream and self.first_s is not None:
            self._connection.send_events(
                [{"error": {"message": message, "type": "server_error", "code": status}}], last=True
            )
        else:
            self._connection.reply_error(status, message)

    def _chunk(
        self, delta: dict[str, str], told: Sequence[dict[str, Any]] = (), finish_reason: str | None = None
    ) -> dict[str, Any]:
        content: dict[str, Any] = {"delta": delta} if self.ask.chat else {"text": delta.get("content", "")}
        choice = {"index": 0, **content, "logprobs": self._form(told), "finish_reason": finish_reason}
        return {**self._head, "choices": [choice]}

    def _whole(self, finish_reason: str | None) -> dict[str, Any]:
        text = "".join(self._pieces)
        content: dict[str, Any] = (
            {"message": {"role": "assistant", "content": text}} if self.ask.chat else {"text": text}
        )
        return {"index": 0, **content, "logprobs": self._form(self._logprobs), "finish_reason": finish_reason}

    def _usage(self, request: Request) -> dict[str, Any]:
        """OpenAI's usage, and what it has no word for under llama.cpp's `timings`, which the course's client reads."""
        prompt_tokens = len(self.ask.ids)
        first_s = self.last_s if self.first_s is None else self.first_s
        return {
            "usage": {
                "prompt_tokens": prompt_tokens,
                "completion_tokens": self.tokens,
                "total_tokens": prompt_tokens + self.tokens,
                "prompt_tokens_details": {"cached_tokens": request.cached_tokens},
            },
            "timings": {
                "cache_n": request.cached_tokens,
                "prompt_n": prompt_tokens - request.cached_tokens,
                "prompt_ms": (first_s - self.asked_s) * 1000,
                "predicted_n": self.tokens,
                "predicted_ms": (self.last_s - first_s) * 1000,
                "draft_n": request.draft_tokens,
                "draft_n_accepted": request.accepted_tokens,
            },
        }

    def _describe(self, entries: Sequence[tuple[int, float]]) -> dict[str, Any]:
        """One token in the form of a chat's log-probabilities."""
        told = []
        for token, logprob in entries:
            text = self._tokenizer.decode([token])
            told.append({"token": text, "logprob": logprob, "bytes": list(text.encode())})
        return {**told[0], "top_logprobs": told[1:]}

    def _form(self, told: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
        if self.ask.logprobs is None or not told:
            return None
        if self.ask.chat:
            return {"content": list(told)}
        return {
            "tokens": [entry["token"] for entry in told],
            "token_logprobs": [entry["logprob"] for entry in told],
            "top_logprobs": [{top["token"]: top["logprob"] for top in entry["top_logprobs"]} for entry in told],
        }
