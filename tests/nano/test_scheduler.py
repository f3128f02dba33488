"""The scheduler on a model that is a function: what comes out must be what each request would get alone."""

import random
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.errors import CheckFailed, EngineFailed, UsageError
from helpers.nano.block_manager import BlockManager
from helpers.nano.request import Request, Status
from helpers.nano.scheduler import Scheduler, SchedulerConfig
from helpers.nano.static_scheduler import StaticScheduler
from tests.nano.fake_model import END, FakeModel, answer, next_token


def make(blocks: int = 64, block_size: int = 4, *, static: bool = False, prefixes: bool = True, **limits: object):
    config = SchedulerConfig(**{"max_num_seqs": 4, "max_num_batched_tokens": 16, "max_model_len": 64, **limits})
    manager = BlockManager(blocks, block_size, prefix_caching=prefixes)
    return FakeModel((StaticScheduler if static else Scheduler)(config, manager))


def add(model: FakeModel, name: str, prompt: list[int], max_tokens: int) -> Request:
    request = Request.of(name, prompt, max_tokens, stop_ids=frozenset({END}))
    model.scheduler.add(request)
    return request


def run(model: FakeModel, limit: int = 2000) -> None:
    for _ in range(limit):
        if not model.scheduler.has_work:
            return
        model.step()
    raise AssertionError("requests do not end")


def test_requests_join_and_leave_at_every_step() -> None:
    model = make(max_num_seqs=2)
    for name, length in (("a", 2), ("b", 4), ("c", 3)):
        request = add(model, name, [1, 1, 1], length)
        request.stop_ids = frozenset()
    ran = []
    while model.scheduler.has_work:
        ran.append("".join(work.request.request_id for work in model.step().work))
    assert ran == ["ab", "ab", "bc", "bc", "c"]


def test_a_long_prompt_is_computed_in_chunks_beside_the_others_decoding() -> None:
    model = make(max_num_batched_tokens=8)
    short = add(model, "short", [1, 2], 20)
    short.stop_ids = frozenset()
    model.step()
    add(model, "long", list(range(20)), 4)
    steps = [model.step() for _ in range(3)]
    assert [[work.tokens for work in step.work] for step in steps] == [[1, 7], [1, 7], [1, 6]]
    assert [[work.samples for work in step.work] for step in steps] == [[True, False], [True, False], [True, True]]
    assert all(step.tokens <= 8 for step in steps)


def test_without_chunks_a_prompt_longer_than_the_budget_is_computed_whole_and_as_the_only_prompt() -> None:
    model = make(max_num_batched_tokens=8, chunked_prefill=False, prefixes=False)
    for name, length in (("a", 6), ("b", 3), ("long", 20), ("c", 2)):
        add(model, name, list(range(length)), 4).stop_ids = frozenset()
    steps = [model.step() for _ in range(4)]
    described = [[(work.request.request_id, work.tokens) for work in step.work] for step in steps]
    assert described[0] == [("a", 6)]  # b does not fit into the budget
    assert described[1] == [("a", 1), ("b", 3)]
    assert described[2] == [("a", 1), ("b", 1), ("long", 20)]
    assert described[3] == [("a", 1), ("b", 1), ("long", 1), ("c", 2)]


def test_a_chunk_never_starves_those_who_run_behind_it() -> None:
    model = make(max_num_seqs=3, max_num_batched_tokens=6)
    add(model, "first", [1], 30).stop_ids = frozenset()
    add(model, "second", [2], 30).stop_ids = frozenset()
    model.step()
    model.scheduler.propose(model.scheduler.running[0], [9] * 20)
    assert [work.tokens for work in model.step().work] == [5, 1]


def test_requests_wait_in_order_for_blocks() -> None:
    model = make(blocks=4, block_size=4, prefixes=False)
    add(model, "a", [1] * 12, 1)
    add(model, "big", [2] * 8, 1)
    add(model, "small", [3], 1)
    assert [work.request.request_id for work in model.step().work] == ["a"]
    assert [work.request.request_id for work in model.step().work] == ["big", "small"]


def test_who_arrived_last_gives_its_blocks_to_who_came_before() -> None:
    model = make(blocks=4, block_size=2, prefixes=False)
    early, late = add(model, "early", [1, 2, 3], 4), add(model, "late", [3, 2, 1], 4)
    early.stop_ids = late.stop_ids = frozenset()
    model.step()
    model.step()
    newest = add(model, "newest", [1], 1)
    step = model.step()
    assert step.preempted == (late,)
    assert (late.status, late.blocks, late.computed, late.preemptions) == (Status.WAITING, [], 0, 1)
    assert len(late.ids) == 5  # what was generated is kept
    assert list(model.scheduler.waiting) == [late, newest]  # its place is kept too
    run(model)
    assert model.scheduler.counters.preemptions == 1


def test_proposals_are_no_reason_to_preempt() -> None:
    model = make(blocks=4, block_size=2, prefixes=False)
    early, late = add(model, "early", [1], 5), add(model, "late", [2], 5)
    early.stop_ids = late.stop_ids = frozenset()
    model.step()
    model.scheduler.propose(early, [0, 0, 0])
    model.scheduler.propose(late, [0, 0, 0])
    step = model.step()
    assert [(work.request.request_id, len(work.draft)) for work in step.work] == [("early", 3), ("late", 0)]
    assert step.preempted == ()


def test_proposals_never_reach_beyond_max_tokens() -> None:
    model = make()
    request = add(model, "a", [1], 3)
    request.stop_ids = frozenset()
    model.step()
    model.scheduler.propose(request, [7, 7, 7, 7])
    assert request.draft == [7]  # two are missing, and one of them comes anyway


def test_a_shared_prefix_is_computed_once() -> None:
    model = make(blocks=64, block_size=4, max_num_batched_tokens=40)
    prefix = list(range(32))
    add(model, "first", [*prefix, 1], 2)
    model.step()
    add(model, "second", [*prefix, 2], 2)
    work = model.step().work[-1]
    assert (work.start, work.tokens, work.cached) == (32, 1, 32)
    assert model.scheduler.counters.cached_tokens == 32
    run(model)


def test_who_joins_in_the_same_step_shares_what_the_step_computes() -> None:
    model = make(blocks=64, block_size=4, max_num_batched_tokens=64)
    requests = [add(model, str(number), [*range(32), number], 2) for number in range(3)]
    step = model.step()
    assert [(work.start, work.tokens, work.cached) for work in step.work] == [(0, 33, 0), (32, 1, 32), (32, 1, 32)]
    assert requests[1].blocks[:8] == requests[0].blocks[:8]
    run(model)


def test_a_prompt_in_chunks_is_not_computed_a_second_time_by_who_waits_behind_it() -> None:
    model = make(blocks=64, block_size=4, max_num_batched_tokens=16)
    for number in range(3):
        add(model, str(number), [*range(40), number], 1)
    run(model)
    assert model.scheduler.counters.computed_tokens == 41 + 2
    assert model.scheduler.counters.cached_tokens == 2 * 40


def test_a_request_that_fails_in_the_step_others_share_leaves_them_their_blocks() -> None:
    model = make(blocks=64, block_size=4, max_num_batched_tokens=64)
    failing, staying = (add(model, str(number), [*range(32), number], 4) for number in range(2))
    model.step()
    own = failing.blocks[8:]
    assert model.scheduler.fail(failing, EngineFailed("broken")) == own
    model.scheduler.check()
    run(model)
    assert staying.output_ids == answer([*range(32), 1], 4)


def test_prefill_tokens_saved_by_a_shared_prefix() -> None:
    model = make(blocks=400, block_size=16, max_num_seqs=16, max_num_batched_tokens=512, max_model_len=4096).scheduler
    generator = random.Random(1)
    prefix = [generator.randrange(2048) for _ in range(2000)]
    for number in range(1000):
        model.add(Request.of(str(number), [*prefix, *(generator.randrange(2048) for _ in range(20))], 4))
    while model.has_work:
        step = model.schedule()
        model.update(step, {work.request: [0] for work in step.work if work.samples})
    assert model.counters.prompt_tokens == 1000 * 2020
    assert model.counters.cached_tokens == 999 * 2000
    assert model.counters.preemptions == 0


@pytest.mark.parametrize(
    ("prompt", "max_tokens", "message"),
    [
        ([], 5, "the prompt is empty"),
        ([1], 0, "max_tokens cannot be 0"),
        ([1], -3, "max_tokens cannot be -3"),
        ([1] * 64, 1, "exceed the context of 64"),
        ([1] * 60, 5, "at most 4 tokens can be generated"),
        ([1] * 30, 20, "needs 13 blocks of the KV cache, which has 10"),
    ],
)
@pytest.mark.parametrize("static", [False, True])
def test_requests_that_could_never_run_are_refused_and_harm_nobody(
    prompt: list[int], max_tokens: int, message: str, static: bool
) -> None:
    model = make(blocks=10, static=static)
    good = add(model, "good", [1, 2, 3], 8)
    model.step()
    with pytest.raises(UsageError) as caught:
        add(model, "bad", prompt, max_tokens)
    assert message in str(caught.value)
    run(model)
    assert good.output_ids == answer([1, 2, 3], 8)


def test_the_largest_request_that_fits_runs() -> None:
    model = make(blocks=10)
    request = add(model, "a", [1] * 30, 11)  # the 41st token is never computed
    request.stop_ids = frozenset()
    run(model)
    assert request.output_tokens == 11


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_num_seqs": 0},
        {"max_num_batched_tokens": -1},
        {"max_model_len": 0},
        {"max_num_seqs": 8, "max_num_batched_tokens": 7},
    ],
)
def test_limits_out_of_range_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="cannot be"):
        SchedulerConfig(**wrong)


@pytest.mark.parametrize("static", [False, True])
def test_cancelled_requests_give_their_blocks_back_at_once(static: bool) -> None:
    model = make(static=static, prefixes=False)
    leaving, staying = add(model, "leaving", [1] * 9, 20), add(model, "staying", [2, 2], 9)
    waiting = [add(model, f"waiting-{number}", [3], 2) for number in range(4)]
    model.step()
    used = model.scheduler.blocks.used_blocks
    held = len(leaving.blocks)
    assert model.scheduler.cancel(leaving)
    assert model.scheduler.blocks.used_blocks == used - held
    assert (leaving.finish_reason, leaving.blocks) == ("cancelled", [])
    assert model.scheduler.cancel(waiting[-1])
    assert not model.scheduler.cancel(leaving)
    model.scheduler.check()
    run(model)
    assert staying.output_ids == answer([2, 2], 9)
    assert model.scheduler.counters.cancelled == 2
    assert model.scheduler.blocks.used_blocks == 0


def test_a_request_cancelled_while_its_step_runs_gets_nothing() -> None:
    model = make()
    request = add(model, "a", [1, 2], 8)
    step = model.scheduler.schedule()
    model.scheduler.cancel(request)
    assert model.scheduler.update(step, {}) == []
    assert request.output_tokens == 0
    model.scheduler.check()


def test_a_failed_request_ends_with_its_error_and_leaves_no_content() -> None:
    model = make()
    failing = add(model, "a", [1] * 9, 8)
    model.step()
    error = EngineFailed("broken")
    blocks = list(failing.blocks)
    assert sorted(model.scheduler.fail(failing, error)) == sorted(blocks)
    assert (failing.finish_reason, failing.error) == ("error", error)
    assert model.scheduler.blocks.cached_blocks == 0
    model.scheduler.check()


def test_static_batching_runs_a_batch_to_its_end_and_counts_padding() -> None:
    model = make(static=True, max_num_seqs=2)
    for name, prompt, length in (("a", 3, 2), ("b", 5, 4), ("c", 1, 1)):
        add(model, name, [1] * prompt, length).stop_ids = frozenset()
    steps = []
    while model.scheduler.has_work:
        steps.append(model.step())
    described = ["".join(work.request.request_id + "-" * work.padding for work in step.work) for step in steps]
    assert described == ["ab", "ab", "a-b", "a-b", "c"]
    # Two places of the prompts' rectangle, then one for each step that a has ended.
    assert [step.padding_tokens for step in steps] == [2, 0, 1, 1, 0]
    assert model.scheduler.counters.padding_tokens == 4
    assert model.scheduler.blocks.used_blocks == 0


def test_static_batching_reserves_room_for_the_longest_answer() -> None:
    model = make(static=True, blocks=10, block_size=4)
    add(model, "a", [1] * 4, 17)
    add(model, "b", [1] * 4, 17)
    add(model, "c", [1], 1)
    assert [work.request.request_id for work in model.step().work] == ["a", "b"]
    assert model.scheduler.blocks.used_blocks == 10


def test_check_sees_requests_listed_in_the_wrong_place() -> None:
    model = make()
    request = add(model, "a", [1, 2], 8)
    request.status = Status.RUNNING
    with pytest.raises(CheckFailed, match="listed as waiting"):
        model.scheduler.check()


loads = st.lists(
    st.tuples(st.lists(st.integers(0, 1), min_size=1, max_size=20), st.integers(1, 12), st.integers(0, 3)),
    min_size=1,
    max_size=10,
)


@settings(max_examples=120, deadline=None)
@given(
    load=loads,
    blocks=st.integers(8, 20),
    block_size=st.sampled_from([1, 2, 4]),
    limits=st.tuples(st.integers(1, 5), st.integers(5, 24), st.booleans()),
    static=st.booleans(),
    prefixes=st.booleans(),
    seed=st.integers(0, 2**32),
)
def test_random_load_gives_each_request_what_it_would_get_alone(
    load: list[tuple[list[int], int, int]],
    blocks: int,
    block_size: int,
    limits: tuple[int, int, bool],
    static: bool,
    prefixes: bool,
    seed: int,
) -> None:
    """Tiny pools, shared prefixes, random cancels, and proposals that are sometimes right."""
    seqs, budget, chunked = limits
    chance = random.Random(seed)
    model = make(
        blocks,
        block_size,
        static=static,
        prefixes=prefixes,
        max_num_seqs=seqs,
        max_num_batched_tokens=budget,
        chunked_prefill=chunked,
    )
    pending = list(load)
    taken: list[Request] = []
    for _ in range(3000):
        while pending and chance.random() < 0.5:
            prompt, max_tokens, _ = pending.pop()
            if model.scheduler.blocks.blocks_for(len(prompt) + max_tokens - 1) <= blocks:
                taken.append(add(model, str(len(taken)), prompt, max_tokens))
        if not model.scheduler.has_work:
            if not pending:
                break
            continue
        step = model.step()
        for work in step.work:
            request = work.request
            if request.status is Status.RUNNING and request.remaining == 1 and chance.random() < 0.5:
                draft = list(request.ids)
                for _ in range(chance.randint(1, 4)):
                    draft.append(next_token(draft) if chance.random() < 0.7 else chance.randrange(5))
                model.scheduler.propose(request, draft[len(request.ids) :])
        if chance.random() < 0.05 and taken:
            model.scheduler.cancel(chance.choice(taken))
            model.scheduler.check()
    assert not model.scheduler.has_work, "requests do not end"
    assert model.scheduler.blocks.used_blocks == 0
    for request in taken:
        expected = answer(request.ids[: request.prompt_tokens], request.max_tokens)
        if request.finish_reason == "cancelled":
            expected = expected[: request.output_tokens]
        assert request.output_ids == expected


def test_memory_is_flat_over_ten_thousand_requests() -> None:
    model = make(blocks=64, block_size=8, max_num_seqs=8, max_num_batched_tokens=64).scheduler
    chance = random.Random(0)

    def serve(count: int) -> int:
        for number in range(count):
            prompt = [chance.randrange(1000) for _ in range(chance.randint(1, 24))]
            model.add(Request.of(str(number), prompt, chance.randint(1, 4)))
            while len(model.waiting) > 8:
                step = model.schedule()
                model.update(step, {work.request: [1] for work in step.work if work.samples})
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        early, late = serve(2000), serve(8000)
    finally:
        tracemalloc.stop()
    assert late - early < 100_000
