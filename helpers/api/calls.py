"""What is kept of one request: who, what, when, how much; never its words."""

from bisect import bisect_left
from dataclasses import dataclass, field
from time import perf_counter, time

GAP_BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
"""Upper bounds of the counted gaps between pieces of a stream."""


@dataclass(slots=True)
class Call:
    """One request from arrival to its last byte; times are `time.perf_counter` seconds, `at` is Unix time.

    Attributes:
        api: chat, completions, embeddings, ollama-chat, ...
        begun_s: when it left the queue; 0 if it never did.
        outcome: ok, client_left, or the code of the refusal.
        first_s: when the first piece of a stream, or a whole answer, was passed on.
        gap_counts: of a stream: gaps between pieces passed on, by `GAP_BOUNDS_S`; the last one counts the longer ones.
        estimated: True if the engine did not say how many tokens it were.
    """

    request_id: str
    api: str
    started_s: float = field(default_factory=perf_counter)
    at: float = field(default_factory=time)
    key: str = ""
    key_id: str = ""
    model: str = ""
    upstream: str = ""
    attempts: int = 0
    stream: bool = False
    status: int = 0
    outcome: str = "ok"
    begun_s: float = 0.0
    first_s: float | None = None
    last_s: float = 0.0
    ended_s: float = 0.0
    gap_counts: list[int] | None = None
    gap_sum_s: float = 0.0
    prompt_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    estimated: bool = False

    def note_piece(self) -> None:
        """A piece of the stream is being passed on: TTFT is from the first, ITL from the gaps."""
        now_s = perf_counter()
        if self.first_s is None:
            self.first_s = now_s
            if self.stream:
                self.gap_counts = [0] * (len(GAP_BOUNDS_S) + 1)
        elif self.gap_counts is not None:
            gap_s = now_s - self.last_s
            self.gap_counts[bisect_left(GAP_BOUNDS_S, gap_s)] += 1
            self.gap_sum_s += gap_s
        self.last_s = now_s

    def estimate(self, prompt_tokens: int) -> None:
        """Account this until the engine says how many tokens it were; output is counted in events."""
        self.prompt_tokens, self.output_tokens, self.estimated = prompt_tokens, 0, True

    @property
    def ttft_s(self) -> float | None:
        """Seconds from arrival to the first piece."""
        return None if self.first_s is None else self.first_s - self.started_s

    @property
    def e2e_s(self) -> float:
        """Seconds from arrival to the end."""
        return self.ended_s - self.started_s

    def to_json(self) -> dict[str, object]:
        """The line of the log."""
        return {
            "time": round(self.at, 3),
            "level": "info" if self.status < 500 else "error",
            "event": "request",
            "request_id": self.request_id,
            "api": self.api,
            "key": self.key,
            "model": self.model,
            "upstream": self.upstream,
            "attempts": self.attempts,
            "stream": self.stream,
            "status": self.status,
            "outcome": self.outcome,
            "queued_s": round(max(0.0, self.begun_s - self.started_s), 6),
            "ttft_s": None if self.first_s is None else round(self.first_s - self.started_s, 6),
            "e2e_s": round(self.e2e_s, 6),
            "prompt_tokens": self.prompt_tokens,
            "output_tokens": self.output_tokens,
            "cached_tokens": self.cached_tokens,
            "estimated": self.estimated,
        }
