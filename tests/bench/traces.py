"""Traces of nano's real scheduler; the model is none, and every token the same."""

from collections.abc import Sequence

from helpers.nano.block_manager import BlockManager
from helpers.nano.request import Request
from helpers.nano.scheduler import Scheduler, SchedulerConfig
from helpers.nano.static_scheduler import StaticScheduler
from helpers.nano.trace import Scheduled, StepRecord, Trace


def make_trace(
    lengths: Sequence[tuple[int, int]],
    *,
    static: bool = False,
    blocks: int = 256,
    seats: int = 4,
    budget: int = 64,
    shared: int = 0,
    late: int = 0,
) -> list[StepRecord]:
    """Run requests of (prompt, output) tokens; the last `late` of them arrive when the others have ended.

    All prompts begin with the same `shared` tokens.
    """
    manager = BlockManager(blocks, 16)
    config = SchedulerConfig(max_num_seqs=seats, max_num_batched_tokens=budget, max_model_len=1024)
    scheduler = (StaticScheduler if static else Scheduler)(config, manager)
    trace = Trace()
    requests = [
        Request.of(f"r{number}", [1] * shared + [2 + number] * (prompt - shared), output)
        for number, (prompt, output) in enumerate(lengths)
    ]
    now_s = 0.0
    for group in (requests[: len(requests) - late], requests[len(requests) - late :]):
        for request in group:
            scheduler.add(request)
        while scheduler.has_work:
            step = scheduler.schedule()
            scheduled = Scheduled.of(scheduler, step)
            scheduler.update(step, {work.request: [0] for work in step.work if work.samples})
            took_s = 0.002 + 0.0001 * step.tokens
            times = {"started_s": now_s, "schedule_s": 0.0, "forward_s": took_s, "sample_s": 0.0, "draft_s": 0.0}
            trace.add(scheduled, scheduler, times)
            now_s += took_s
    return list(trace.records)
