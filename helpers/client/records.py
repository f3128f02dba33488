"""What is kept of one request: time stamps, tokens, words, and the error if it failed.

All times are seconds of one monotonic clock, relative to the start of the run (or of the request,
for a single call). Definitions built on them are in `helpers.bench.metrics`:

    scheduled_s      sent_s            chunk_s[0]    chunk_s[1]  ...  chunk_s[-1]  done_s
        |-- client queue --|---- TTFT ------|---- gap -----|              |
                           |------------------------ e2e -----------------------------|
"""

from dataclasses import asdict, dataclass, field, fields
from typing import Any


@dataclass(slots=True)
class Usage:
    """Token counts as the server reports them; None where it did not say.

    Attributes:
        prompt_tokens: tokens of the prompt after the chat template.
        output_tokens: tokens generated, hidden reasoning included.
        cached_tokens: prompt tokens taken from a prefix cache, so not computed.
        draft_tokens: tokens proposed by speculation.
        accepted_tokens: draft tokens that verification kept.
    """

    prompt_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    draft_tokens: int | None = None
    accepted_tokens: int | None = None


@dataclass(slots=True)
class RequestRecord:
    """One request as the client saw it.

    Attributes:
        request_id: unique within a run.
        scheduled_s: when the load shape wanted it sent (equals sent_s in a closed loop).
        sent_s: when its first byte was written; None if it never was.
        chunk_s: arrival of each chunk that carried content or reasoning, in order.
        coalesced_chunks: how many of those came out of the same socket read as the one before, so
            that the gap between them is the client's reading and not the engine's writing.
        finish_s: arrival of the chunk that said why the answer ended; the last tokens may have no text, and then no
            chunk of their own. None if the server said nothing.
        done_s: when the response ended, well or not.
        usage: the server's token counts.
        engine_timings: what the engine itself says of this request's times, untouched.
        text: the answer's words; reasoning: hidden-thinking words, where the engine sends them apart.
        finish_reason: stop, length, ... as the server said; empty if it said nothing.
        status: HTTP status; None if there was no response.
        error: empty if the request succeeded, else one line saying what went wrong.
    """

    request_id: str
    scheduled_s: float = 0.0
    sent_s: float | None = None
    chunk_s: list[float] = field(default_factory=list)
    coalesced_chunks: int = 0
    finish_s: float | None = None
    done_s: float | None = None
    usage: Usage = field(default_factory=Usage)
    engine_timings: dict[str, Any] = field(default_factory=dict)
    text: str = ""
    reasoning: str = ""
    finish_reason: str = ""
    status: int | None = None
    error: str = ""

    @property
    def ok(self) -> bool:
        """True if the answer arrived whole."""
        return not self.error

    @property
    def ttft_s(self) -> float | None:
        """Seconds from sending to the first chunk with content or reasoning."""
        return self.chunk_s[0] - self.sent_s if self.chunk_s and self.sent_s is not None else None

    @property
    def e2e_s(self) -> float | None:
        """Seconds from sending to the end of the response."""
        return self.done_s - self.sent_s if self.done_s is not None and self.sent_s is not None else None

    @property
    def tpot_s(self) -> float | None:
        """Seconds per output token after the first: (last - first) / (tokens - 1).

        The last is that of the answer's end: where an engine goes on after the end of the text (`ignore_eos`), its
        tokens are counted, and have no text.
        """
        tokens = self.usage.output_tokens
        if not self.chunk_s or tokens is None or tokens < 2:
            return None
        last_s = max(self.chunk_s[-1], self.finish_s or 0.0)
        return (last_s - self.chunk_s[0]) / (tokens - 1)

    @property
    def gaps_s(self) -> list[float]:
        """Seconds between consecutive chunks; pooled over a run they are the ITL."""
        return [later - earlier for earlier, later in zip(self.chunk_s, self.chunk_s[1:], strict=False)]

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dictionary; `from_json` is its inverse."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "RequestRecord":
        """Rebuild a record; an unknown field is an error, a missing one takes its default."""
        unknown = set(value) - {f.name for f in fields(cls)}
        if unknown:
            raise ValueError(f"unknown record field {sorted(unknown)[0]!r}")
        return cls(**{**value, "usage": Usage(**value.get("usage", {}))})
