"""A model that is a function of the tokens before, with a memory like a KV cache: it notices every wrong block."""

from collections.abc import Sequence

from helpers.nano.request import Request
from helpers.nano.scheduler import Scheduler
from helpers.nano.step import Step, Work

VOCABULARY = 5
END = 4


def next_token(ids: Sequence[int]) -> int:
    """What the model says after these tokens; the end token now and then."""
    return hash((len(ids), *ids[-3:])) % VOCABULARY


def answer(prompt: Sequence[int], max_tokens: int) -> list[int]:
    """What a request alone, without an engine, would get."""
    ids = list(prompt)
    while len(ids) < len(prompt) + max_tokens:
        ids.append(next_token(ids))
        if ids[-1] == END:
            break
    return ids[len(prompt) :]


class FakeModel:
    """Runs the steps of a scheduler."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.scheduler = scheduler
        self.memory: dict[tuple[int, int], tuple[int, ...]] = {}

    def step(self) -> Step:
        """One step, with all invariants held before and after."""
        step = self.scheduler.schedule()
        self.scheduler.check()
        assert step.work or not self.scheduler.has_work
        sampled = {}
        for work in step.work:
            self._compute(work)
        for work in step.work:
            if work.samples:
                sampled[work.request] = self._verify(work)
        self.scheduler.update(step, sampled)
        self.scheduler.check()
        return step

    def _compute(self, work: Work) -> None:
        # A finished request that pads computes its last position again.
        ids = [*work.request.ids[: work.start + work.tokens - len(work.draft)], *work.draft]
        assert work.ids == ids[work.start :]
        for position in range(len(ids)):
            slot = self._slot(work.request, position)
            known = tuple(ids[: position + 1])
            if position >= work.start:
                self.memory[slot] = known
            assert self.memory[slot] == known, (work.request.request_id, position)

    def _slot(self, request: Request, position: int) -> tuple[int, int]:
        block, offset = divmod(position, self.scheduler.blocks.block_size)
        return request.blocks[block], offset

    def _verify(self, work: Work) -> list[int]:
        ids = list(work.request.ids)
        tokens = [next_token(ids)]
        for proposal in work.draft:
            if proposal != tokens[-1]:
                break
            ids.append(proposal)
            tokens.append(next_token(ids))
        return tokens
