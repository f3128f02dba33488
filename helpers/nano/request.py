"""A request on its way through the engine: what was asked for, and how far it has come.

There is no prefill state and no decode state. A request has known tokens (`ids`), of which the first `computed` have
their keys and values in the cache; a step computes some more of them. When all known tokens are computed, the last
one's logits yield a new token, which is then known and not yet computed. (The view of vLLM's V1 scheduler.)
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from helpers.errors import CourseError, UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingOptions:
    """How tokens are drawn.

    Attributes:
        temperature: logits are divided by it; 0 takes the best token.
        top_p: the smallest set of best tokens with this much probability is drawn from; 1 is all, 0 the best alone.
        top_k: only this many of the best tokens are drawn from; 0 is all.
        seed: of this request's own generator, so that its tokens do not depend on what runs beside it.
        logprobs: how many of the best tokens are told beside each token; None tells no log-probabilities at all.

    Raises:
        UsageError: a value is out of its range.
    """

    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    seed: int = 0
    logprobs: int | None = None

    def __post_init__(self) -> None:
        # Written so that NaN, which compares as false, is refused.
        ranges = {
            "temperature": 0 <= self.temperature < float("inf"),
            "top_p": 0 <= self.top_p <= 1,
            "top_k": self.top_k >= 0,
            "seed": self.seed >= 0,
            "logprobs": self.logprobs is None or self.logprobs >= 0,
        }
        for name, holds in ranges.items():
            if not holds:
                raise UsageError(f"{name} cannot be {getattr(self, name)}", "it is out of its range")


GREEDY = SamplingOptions()
"""The best token each time."""


@dataclass(frozen=True, slots=True)
class Draft:
    """Tokens proposed behind the known ones, to be verified by the model in one step.

    Attributes:
        ids: the proposals.
        probabilities: [len(ids), vocabulary] that they were drawn from; None where each was certain (n-gram lookup, or
            the best token of a draft model).
    """

    ids: tuple[int, ...]
    probabilities: "NDArray[np.float64] | None" = None


class Status(StrEnum):
    """Where a request is."""

    WAITING = "waiting"
    RUNNING = "running"
    FINISHED = "finished"


@dataclass(slots=True, eq=False, kw_only=True)
class Request:
    """One request; equal only to itself.

    Attributes:
        ids: the prompt, then what was generated.
        prompt_tokens: how many of them are the prompt.
        max_tokens: at most this many tokens are generated.
        stop_ids: tokens that end it; they are part of what was generated.
        finish_reason: `stop`, `length`, `cancelled` or `error` once it has ended.
        error: what went wrong, with `error`.
        computed: tokens whose keys and values are in the cache, those found by prefix caching included.
        draft: proposed ids behind `ids`, to be verified in the next step.
        blocks: the block table; token t lies in blocks[t // block_size].
        block_hashes: chained content hashes of its first full blocks, as far as they were needed.
        cached_tokens: prompt tokens found in the prefix cache when it was first admitted.
        draft_tokens, accepted_tokens: proposals verified, and those of them that held.
        preemptions: how often it lost its blocks and had to be computed again.
    """

    request_id: str
    ids: list[int]
    prompt_tokens: int
    max_tokens: int
    stop_ids: frozenset[int] = frozenset()
    sampling: SamplingOptions = GREEDY
    status: Status = Status.WAITING
    finish_reason: str | None = None
    error: CourseError | None = None
    computed: int = 0
    draft: list[int] = field(default_factory=list)
    blocks: list[int] = field(default_factory=list)
    block_hashes: list[bytes] = field(default_factory=list)
    cached_tokens: int = 0
    draft_tokens: int = 0
    accepted_tokens: int = 0
    preemptions: int = 0

    @classmethod
    def of(
        cls,
        request_id: str,
        prompt: Iterable[int],
        max_tokens: int,
        *,
        stop_ids: frozenset[int] = frozenset(),
        sampling: SamplingOptions = GREEDY,
    ) -> "Request":
        """A new request for a prompt."""
        ids = list(prompt)
        return cls(
            request_id=request_id,
            ids=ids,
            prompt_tokens=len(ids),
            max_tokens=max_tokens,
            stop_ids=stop_ids,
            sampling=sampling,
        )

    @property
    def output_tokens(self) -> int:
        """How many tokens were generated."""
        return len(self.ids) - self.prompt_tokens

    @property
    def output_ids(self) -> list[int]:
        """The generated tokens."""
        return self.ids[self.prompt_tokens :]

    @property
    def remaining(self) -> int:
        """Tokens still to compute, proposals included; never 0 while it has not finished."""
        return len(self.ids) + len(self.draft) - self.computed

    @property
    def finished(self) -> bool:
        """It has ended, well or badly."""
        return self.status is Status.FINISHED
