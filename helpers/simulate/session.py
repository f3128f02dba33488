"""One load on one system: what is asked, and within which limits the scheduler works."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass

from helpers.nano.block_manager import BlockManager
from helpers.nano.request import Request
from helpers.nano.scheduler import SchedulerConfig
from helpers.simulate.clock import Speculation, Stepper, play
from helpers.simulate.sinks import Sink
from helpers.simulate.skipping import SkippingScheduler
from helpers.simulate.traffic import Traffic

BUDGET_TOKENS = {"nano": 512}
"""Tokens computed in one step at most, by engine; 2,048 elsewhere: vLLM's default on a Spark, llama.cpp's -b."""

DEFAULT_BUDGET_TOKENS = 2048


def budget_tokens(engine: str) -> int:
    """The engine's default budget of a step."""
    return BUDGET_TOKENS.get(engine, DEFAULT_BUDGET_TOKENS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A load and the scheduler's limits.

    Attributes:
        input_tokens, output_tokens: taken in turn.
        shared_tokens: tokens that all prompts begin with, counted in input_tokens; with them the prefix cache is on
            (prompts without a common beginning would never find anything in it).
        blocks, block_size: of the KV cache.
        max_num_seqs, max_num_batched_tokens, chunked_prefill: as `helpers.nano.scheduler.SchedulerConfig`.
        seed: of the proposals' luck.
    """

    input_tokens: tuple[int, ...]
    output_tokens: tuple[int, ...]
    blocks: int
    block_size: int
    max_num_seqs: int
    max_num_batched_tokens: int
    chunked_prefill: bool = True
    shared_tokens: int = 0
    speculation: Speculation | None = None
    seed: int = 0

    @property
    def longest(self) -> int:
        """Tokens of the longest sequence, prompt and answer, whichever of them meet."""
        return max(self.input_tokens) + max(self.output_tokens)

    def play(self, stepper: Stepper, traffic: Traffic, sink: Sink, *, skipping: bool = True) -> SkippingScheduler:
        """Run all of the traffic; the scheduler, for its counters."""
        config = SchedulerConfig(
            max_num_seqs=self.max_num_seqs,
            max_num_batched_tokens=max(self.max_num_batched_tokens, self.max_num_seqs),
            max_model_len=self.longest,
            chunked_prefill=self.chunked_prefill,
        )
        blocks = BlockManager(self.blocks, self.block_size, prefix_caching=self.shared_tokens > 0)
        scheduler = SkippingScheduler(config, blocks)
        play(
            traffic,
            self._requests(),
            scheduler,
            stepper,
            sink,
            speculation=self.speculation,
            skipping=skipping,
            seed=self.seed,
        )
        return scheduler

    def _requests(self) -> Callable[[], Request]:
        numbers = itertools.count()
        shared = [-1] * self.shared_tokens

        def make() -> Request:
            number = next(numbers)
            own = self.input_tokens[number % len(self.input_tokens)] - self.shared_tokens
            output = self.output_tokens[number % len(self.output_tokens)]
            return Request.of(str(number), [*shared, *([number + 1] * own)], output)

        return make
