"""What each step did: who ran, with how many tokens, in which blocks, and how long it took."""

from collections import deque
from dataclasses import asdict, dataclass
from typing import Any

from helpers.nano.scheduler import Scheduler
from helpers.nano.step import Step


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkRecord:
    """One request in one step.

    Attributes:
        start, tokens: positions computed.
        cached: tokens that the prefix cache held when it was admitted in this step.
        drafted, accepted: proposals verified, and those of them that held.
        generated: new tokens.
        prefill: tokens of the prompt were computed, or generated ones anew after a preemption.
        padding: a finished request that fills its slot.
        blocks: its block table during the step.
    """

    request_id: str
    start: int
    tokens: int
    cached: int
    drafted: int
    accepted: int
    generated: int
    prefill: bool
    padding: bool
    blocks: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRecord:
    """One step; times in seconds, `started_s` on `time.perf_counter`'s clock.

    Attributes:
        schedule_s, forward_s, sample_s, draft_s: its parts: deciding, the model, drawing tokens, and proposing.
        waiting, preempted, finished: ids of requests; waiting in their order.
        blocks, used_blocks, cached_blocks: of the whole cache, while the step ran.
        filled_tokens: tokens in the used blocks, shared ones counted once.
    """

    number: int
    started_s: float
    schedule_s: float
    forward_s: float
    sample_s: float
    draft_s: float
    work: tuple[WorkRecord, ...]
    waiting: tuple[str, ...]
    preempted: tuple[str, ...]
    finished: tuple[str, ...]
    padding_tokens: int
    block_size: int
    blocks: int
    used_blocks: int
    cached_blocks: int
    filled_tokens: int

    @property
    def waste(self) -> float:
        """Share of the used blocks' places that hold no token."""
        return 1 - self.filled_tokens / (self.used_blocks * self.block_size) if self.used_blocks else 0.0

    def to_json(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Scheduled:
    """What is only known before a step's result is taken: the blocks, and who waits."""

    step: Step
    tables: tuple[tuple[int, ...], ...]
    outputs: tuple[int, ...]
    waiting: tuple[str, ...]
    used_blocks: int
    cached_blocks: int
    filled_tokens: int

    @classmethod
    def of(cls, scheduler: Scheduler, step: Step) -> "Scheduled":
        """Look at the scheduler right after `schedule`."""
        blocks = scheduler.blocks
        return cls(
            step=step,
            tables=tuple(tuple(work.request.blocks) for work in step.work),
            outputs=tuple(work.request.output_tokens for work in step.work),
            waiting=tuple(request.request_id for request in scheduler.waiting),
            used_blocks=blocks.used_blocks,
            cached_blocks=blocks.cached_blocks,
            filled_tokens=_count_filled(scheduler, step),
        )


class Trace:
    """The newest steps.

    Args:
        limit: how many are kept.

    Attributes:
        records: oldest first.
    """

    def __init__(self, limit: int = 4096) -> None:
        self.records: deque[StepRecord] = deque(maxlen=limit)

    def since(self, number: int) -> list[StepRecord]:
        """The kept steps with a higher number."""
        return [record for record in self.records if record.number > number]

    def add(self, scheduled: Scheduled, scheduler: Scheduler, times_s: dict[str, float]) -> None:
        """Record a step.

        Args:
            scheduled: taken before.
            scheduler: after it took the step's result.
            times_s: the times of StepRecord by their names.
        """
        step = scheduled.step
        # A table changes once a block; equal ones are kept once.
        known = {work.blocks: work.blocks for work in self.records[-1].work} if self.records else {}
        work = []
        for item, table, before in zip(step.work, scheduled.tables, scheduled.outputs, strict=True):
            request = item.request
            generated = 0 if item.padding else request.output_tokens - before
            work.append(
                WorkRecord(
                    request_id=request.request_id,
                    start=item.start,
                    tokens=item.tokens,
                    cached=item.cached,
                    drafted=len(item.draft),
                    accepted=max(0, generated - 1),
                    generated=generated,
                    prefill=item.prefill,
                    padding=item.padding,
                    blocks=known.get(table, table),
                )
            )
        self.records.append(
            StepRecord(
                number=step.number,
                **times_s,
                work=tuple(work),
                waiting=scheduled.waiting,
                preempted=tuple(request.request_id for request in step.preempted),
                finished=tuple(
                    item.request.request_id for item in step.work if item.request.finished and not item.padding
                ),
                padding_tokens=step.padding_tokens,
                block_size=scheduler.blocks.block_size,
                blocks=scheduler.blocks.blocks,
                used_blocks=scheduled.used_blocks,
                cached_blocks=scheduled.cached_blocks,
                filled_tokens=scheduled.filled_tokens,
            )
        )


def _count_filled(scheduler: Scheduler, step: Step) -> int:
    """Tokens whose keys and values are in the owned blocks once the step has run.

    Only full blocks are shared, so every place without a token belongs to one request.
    """
    blocks = scheduler.blocks
    ends = {work.request: work.start + work.tokens for work in step.work if not work.padding}
    empty = sum(
        len(request.blocks) * blocks.block_size - ends.get(request, request.computed) for request in scheduler.owners
    )
    return blocks.used_blocks * blocks.block_size - empty
