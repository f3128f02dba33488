"""What a scheduler decides and counts: the work of each request in one step, and totals since the start."""

from dataclasses import dataclass

from helpers.nano.request import Request


@dataclass(frozen=True, slots=True)
class Work:
    """What one request does in one step.

    Attributes:
        start: first position computed.
        tokens: how many positions, proposals included.
        samples: the end of what is known is reached, so that the step yields 1 to len(draft) + 1 new tokens.
        draft: the last of the tokens, which are proposals.
        cached: tokens before `start` that the prefix cache held, when the request is admitted in this step.
        padding: a finished request that fills its slot of a static batch; what comes out is thrown away.
    """

    request: Request
    start: int
    tokens: int
    samples: bool
    draft: tuple[int, ...] = ()
    cached: int = 0
    padding: bool = False

    @property
    def ids(self) -> list[int]:
        """The tokens to compute."""
        return [*self.request.ids[self.start : self.start + self.tokens - len(self.draft)], *self.draft]

    @property
    def logits(self) -> int:
        """For how many of its last tokens logits are computed; padding computes what nobody wants."""
        return len(self.draft) + 1 if self.samples or self.padding else 0

    @property
    def prefill(self) -> bool:
        """Whether it computes tokens of the prompt, or generated ones anew after a preemption."""
        return self.start < self.request.prompt_tokens or self.tokens > len(self.draft) + 1


@dataclass(frozen=True, slots=True)
class Step:
    """One step's plan.

    Attributes:
        number: counts from 1.
        preempted: requests that lost their blocks to make room.
        padding_tokens: places of a static batch that hold no token anybody needs; of prompts shorter than the longest
            they are only counted, of finished requests they are computed too.
    """

    number: int
    work: tuple[Work, ...]
    preempted: tuple[Request, ...] = ()
    padding_tokens: int = 0

    @property
    def tokens(self) -> int:
        """Positions computed."""
        return sum(work.tokens for work in self.work)


@dataclass(slots=True)
class Counters:
    """What has been done since the start; tokens unless the name says otherwise.

    Attributes:
        prompt_tokens: of all requests admitted, each counted once.
        cached_tokens: those of them that the prefix cache held.
        computed_tokens: positions computed, repeated work and proposals included.
        generated_tokens: new tokens that were kept.
        padding_tokens: see Step.
        drafts: how often proposals were verified.
    """

    steps: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    computed_tokens: int = 0
    generated_tokens: int = 0
    padding_tokens: int = 0
    preemptions: int = 0
    drafts: int = 0
    draft_tokens: int = 0
    accepted_tokens: int = 0
    finished: int = 0
    cancelled: int = 0
    failed: int = 0
