"""One completion of the mock server: what it writes at each moment that is due, and what it remembers of it."""

import random
from time import perf_counter
from typing import TYPE_CHECKING, Any

from helpers.client.mock import Faults, TrueRequest
from helpers.client.mock_words import TEMPLATE_TOKENS, answer_text, count_tokens

if TYPE_CHECKING:
    from helpers.client.mock_server import MockConnection

STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
NO_FAULTS = Faults()


class Answering:
    """One completion being answered."""

    def __init__(
        self, connection: "MockConnection", request: dict[str, Any], chat: bool, request_id: str, received_s: float
    ) -> None:
        self.received_s = received_s
        self.connection = connection
        self.mock = connection.mock
        self.request_id = request_id
        self.chat = chat
        self.stream = bool(request.get("stream"))
        self.prompt_tokens = count_tokens(request, chat) + (TEMPLATE_TOKENS if chat else 0)
        config = self.mock.config
        limit = request.get("max_tokens") or request.get("max_completion_tokens")
        natural = config.output_tokens
        self.tokens = (
            natural if limit is None else int(limit) if request.get("ignore_eos") else min(int(limit), natural)
        )
        self.finish_reason = "length" if self.tokens == limit else "stop"
        self.usage_asked = bool((request.get("stream_options") or {}).get("include_usage"))
        self.writes_s: list[float] = []
        self.written = 0
        self.due_s = 0.0
        self.outcome = "open"
        self.fault = self._draw_fault(self.mock.served + self.mock.in_flight)
        self._last_scheduled = False

    def _draw_fault(self, number: int) -> str:
        faults = self.mock.config.faults
        if faults == NO_FAULTS:
            return ""
        draw = random.Random(f"{faults.seed}-{number}").random()
        for name in ("error", "stall", "drop", "malformed", "empty"):
            rate = getattr(faults, f"{name}_rate")
            if draw < rate:
                return name
            draw -= rate
        return ""

    def truth(self) -> TrueRequest:
        """This request's line in the book."""
        return TrueRequest(self.request_id, self.received_s, self.writes_s, self.written, self.outcome)

    def step(self) -> bool:
        """Do what is due; True if more is to come, at `due_s`."""
        if self.fault == "error":
            self._end("error")
            self.connection.reply_error(self.mock.config.faults.error_status, "the mock server was told to fail")
            return False
        if not self.stream:
            return self._step_plain()
        if self.fault == "empty":
            self._end("empty")
            self.connection.write(STREAM_HEAD + self.mock.script.end + b"0\r\n\r\n")
            return False
        if self.fault and self.written >= self.tokens // 2:
            return self._step_fault()
        return self._step_token()

    def _step_plain(self) -> bool:
        """A plain answer goes out when its last token would have."""
        if not self._last_scheduled:
            self._last_scheduled = True
            self.due_s += (self.tokens - 1) * self.mock.config.gap_s
            return True
        self.writes_s.append(perf_counter())
        self.written = self.tokens
        self._end("ok")
        self.connection.reply_json(
            self.mock.script.plain_answer(
                self.chat, answer_text(self.tokens), self.finish_reason, self.prompt_tokens, self.tokens
            )
        )
        return False

    def _step_fault(self) -> bool:
        if self.fault == "stall":
            self.fault = ""
            self.due_s += self.mock.config.faults.stall_s
            return True
        if self.fault == "malformed":
            self.fault = ""
            piece = b'data: {"choices": [{"delta": {"content": "bro\n\n'
            self.connection.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            return self._step_token(outcome="malformed")
        self._end("dropped")
        self.connection.close()
        return False

    def _step_token(self, outcome: str = "ok") -> bool:
        script = self.mock.script
        count = min(self.mock.config.faults.coalesce, self.tokens - self.written)
        out = [] if self.written else [STREAM_HEAD, script.opening(self.chat)]
        out.extend(script.token(self.chat, number) for number in range(self.written, self.written + count))
        self.written += count
        if self.written >= self.tokens:
            out.append(script.ending(self.chat, self.finish_reason))
            if self.usage_asked:
                out.append(script.usage(self.prompt_tokens, self.tokens))
            out.extend((script.end, b"0\r\n\r\n"))
            self._end(outcome)
        data = b"".join(out)
        self.writes_s.append(perf_counter())
        self.connection.write(data)
        following = min(self.mock.config.faults.coalesce, self.tokens - self.written)
        self.due_s += following * self.mock.config.gap_s
        return self.outcome == "open"

    def _end(self, outcome: str) -> None:
        self.mock.end(self, outcome)
        self.connection.answering = None
