"""nano's scheduler, able to take many identical decode steps at once."""

from helpers.nano.request import Request
from helpers.nano.scheduler import Scheduler

FAKE_ID = 0
"""What the simulated model says; prompts differ, so nobody's prefix is another's by accident."""


class SkippingScheduler(Scheduler):
    """Continuous batching whose decode steps can be taken together while nothing about them changes.

    `skip(n)` leaves requests, blocks and counters as n times `schedule` and `update` would, block numbers apart.
    """

    @property
    def admits(self) -> bool:
        """Whether a request that arrived now could join the next step, as far as seats go."""
        return len(self.running) < self.config.max_num_seqs

    def steps_alike(self) -> int:
        """How many of the next steps only decode one token for each running request; 0 if the next one does not.

        The last of them may end requests. A request that waits stands in the way only if it could be admitted, or if
        trying to would touch the prefix cache's order.
        """
        if not self.running or (self.waiting and self.admits and self._may_admit()):
            return 0
        steps = min(request.max_tokens - request.output_tokens for request in self.running)
        if any(request.remaining != 1 for request in self.running):
            return 0
        while steps and self._blocks_needed(steps) > self.blocks.free_blocks:
            steps //= 2
        return steps

    def skip(self, steps: int) -> list[Request]:
        """Take that many steps; at most `steps_alike()`, which is for the caller to hold.

        Returns:
            The requests that have ended with the last one.
        """
        tokens = [FAKE_ID] * steps
        for request in self.running:
            self.blocks.allocate(request, steps)
            start = request.computed
            request.ids.extend(tokens)
            request.computed += steps
            self.blocks.register(request, start, request.computed)
        self.counters.steps += steps
        self.counters.computed_tokens += steps * len(self.running)
        self.counters.generated_tokens += steps * len(self.running)
        finished = [request for request in self.running if request.output_tokens == request.max_tokens]
        for request in finished:
            self._end(request, "length")
        self.counters.finished += len(finished)
        return finished

    def _may_admit(self) -> bool:
        first = self.waiting[0]
        return self.blocks.prefix_caching or self.blocks.can_append(first, first.remaining)

    def _blocks_needed(self, steps: int) -> int:
        blocks = self.blocks
        return sum(blocks.blocks_for(request.computed + steps) - len(request.blocks) for request in self.running)
