"""Static batching, to compare continuous batching with."""

from collections.abc import Sequence

from helpers.nano.block_manager import BlockManager
from helpers.nano.request import Request
from helpers.nano.scheduler import Scheduler, SchedulerConfig
from helpers.nano.step import Step, Work


class StaticScheduler(Scheduler):
    """Static batching, the baseline: a batch is filled, and the next one starts when its last request has ended.

    Room for prompt and longest answer is reserved at the start. Prompts are padded to the longest, and a request that
    has ended goes on filling its slot; both are counted as padding.
    """

    def __init__(self, config: SchedulerConfig, blocks: BlockManager) -> None:
        super().__init__(config, blocks)
        self._batch: list[Request] = []

    def schedule(self) -> Step:
        """Decide the next step; empty only if there is no request."""
        if not self.running:
            return self._start_batch()
        work = [self._continue(request) for request in self._batch]
        return self._plan(work, padding_tokens=sum(item.padding for item in work))

    def _start_batch(self) -> Step:
        while self.waiting and len(self._batch) < self.config.max_num_seqs:
            request = self.waiting[0]
            reserved = request.prompt_tokens + request.max_tokens - 1
            if not self.blocks.can_append(request, reserved):
                break
            self.blocks.allocate(request, reserved)
            self._batch.append(self.waiting.popleft())
            self._run(request)
        work = [self._start_work(request, request.remaining) for request in self._batch]
        longest = max((item.tokens for item in work), default=0)
        return self._plan(work, padding_tokens=sum(longest - item.tokens for item in work))

    def _continue(self, request: Request) -> Work:
        if request.finished:
            return Work(request, request.computed - 1, 1, samples=False, padding=True)
        return self._start_work(request, request.remaining)

    @property
    def owners(self) -> Sequence[Request]:
        """The requests that own blocks: the whole batch until its last request has ended."""
        return self._batch

    def _give_back(self, request: Request, *, forget: bool) -> list[int]:
        ownerless = []
        if request in self._batch and request.finish_reason not in ("stop", "length"):
            self._batch.remove(request)
            ownerless = super()._give_back(request, forget=forget)
        if not self.running:
            for ended in self._batch:
                super()._give_back(ended, forget=False)
            self._batch.clear()
        return ownerless
