import json

from helpers.nano.block_manager import BlockManager
from helpers.nano.request import Request
from helpers.nano.scheduler import Scheduler, SchedulerConfig
from helpers.nano.trace import Scheduled, StepRecord, Trace

TIMES = {"started_s": 1.0, "schedule_s": 0.1, "forward_s": 0.2, "sample_s": 0.3, "draft_s": 0.0}


def make() -> Scheduler:
    config = SchedulerConfig(max_num_seqs=2, max_num_batched_tokens=8, max_model_len=64)
    return Scheduler(config, BlockManager(8, 4))


def step(scheduler: Scheduler, trace: Trace) -> StepRecord:
    planned = scheduler.schedule()
    scheduled = Scheduled.of(scheduler, planned)
    sampled = {work.request: [*work.draft[:1], 5] for work in planned.work if work.samples}
    scheduler.update(planned, sampled)
    trace.add(scheduled, scheduler, TIMES)
    return trace.records[-1]


def test_a_step_tells_who_ran_where_and_who_waited() -> None:
    scheduler, trace = make(), Trace()
    first = Request.of("first", range(10), 3)
    scheduler.add(first)
    for name in ("second", "third"):
        scheduler.add(Request.of(name, [1], 1))
    record = step(scheduler, trace)
    (work,) = record.work
    assert (work.request_id, work.start, work.tokens, work.prefill, work.generated) == ("first", 0, 8, True, 0)
    assert work.blocks == tuple(first.blocks)
    assert record.waiting == ("second", "third")
    assert (record.used_blocks, record.filled_tokens, record.waste) == (2, 8, 0.0)
    record = step(scheduler, trace)
    assert [(work.request_id, work.generated) for work in record.work] == [("first", 1), ("second", 1)]
    assert record.finished == ("second",)
    assert (record.used_blocks, record.filled_tokens, record.waste) == (4, 11, 1 - 11 / 16)
    scheduler.propose(first, [7])
    record = step(scheduler, trace)
    work = record.work[0]
    assert (work.prefill, work.drafted, work.accepted, work.generated) == (False, 1, 1, 2)


def test_shared_blocks_are_filled_once() -> None:
    scheduler, trace = make(), Trace()
    scheduler.add(Request.of("first", range(8), 4))
    step(scheduler, trace)
    scheduler.add(Request.of("second", range(8), 4))
    record = step(scheduler, trace)
    assert record.work[1].cached == 4
    assert record.used_blocks == 4
    assert record.filled_tokens == 13  # eight and one of the first, four more of the second


def test_only_the_newest_steps_are_kept() -> None:
    scheduler, trace = make(), Trace(limit=3)
    scheduler.add(Request.of("first", [1], 9))
    for _ in range(5):
        step(scheduler, trace)
    assert [record.number for record in trace.records] == [3, 4, 5]
    assert [record.number for record in trace.since(3)] == [4, 5]


def test_records_are_json() -> None:
    scheduler, trace = make(), Trace()
    scheduler.add(Request.of("first", [1], 9))
    told = json.loads(json.dumps(step(scheduler, trace).to_json()))
    assert told["work"][0]["request_id"] == "first"
    assert told["forward_s"] == 0.2
