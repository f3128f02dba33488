import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.bench.metrics import summarize
from helpers.client.records import RequestRecord
from helpers.nano.scheduler import SchedulerConfig
from helpers.simulate.clock import Speculation
from helpers.simulate.cost import decode_load, step_terms
from helpers.simulate.session import Session
from helpers.simulate.sinks import Records
from helpers.simulate.skipping import SkippingScheduler
from helpers.simulate.traffic import Timetable, Traffic, Users
from tests.simulate.systems import DENSE, make_request, make_stepper


def make_session(**options: Any) -> Session:
    defaults: dict[str, Any] = {
        "input_tokens": (40, 300, 7),
        "output_tokens": (9, 170, 1, 33),  # some cross the window of 128
        "blocks": 400,
        "block_size": 16,
        "max_num_seqs": 8,
        "max_num_batched_tokens": 128,
    }
    return Session(**{**defaults, **options})


def play(session: Session, traffic: Traffic, *, skipping: bool = True) -> tuple[list[RequestRecord], SkippingScheduler]:
    sink = Records()
    scheduler = session.play(make_stepper(), traffic, sink, skipping=skipping)
    return sink.records, scheduler


def poisson(count: int, seed: int, gap_s: float) -> Timetable:
    draw, now_s, times = random.Random(seed), 0.0, []
    for _ in range(count):
        now_s += draw.expovariate(1 / gap_s)
        times.append(now_s)
    return Timetable(times)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    seats=st.integers(1, 9),
    blocks=st.sampled_from([32, 48, 400]),
    shared=st.sampled_from([0, 6]),
    closed=st.booleans(),
    gap_s=st.sampled_from([0.003, 0.1, 1.0]),
)
def test_skipping_gives_what_stepping_gives_to_the_last_bit(
    seed: int, seats: int, blocks: int, shared: int, closed: bool, gap_s: float
) -> None:
    session = make_session(max_num_seqs=seats, blocks=blocks, shared_tokens=shared)
    runs = []
    for skipping in (True, False):
        traffic = Users(seats + 1, 30, gap_s, seed) if closed else poisson(30, seed, gap_s)
        records, scheduler = play(session, traffic, skipping=skipping)
        scheduler.check()
        runs.append((records, scheduler.counters))
    assert runs[0] == runs[1]


def test_one_stream_is_prefill_then_identical_steps() -> None:
    records, _ = play(make_session(input_tokens=(100,), output_tokens=(50,), max_num_seqs=1), Users(1, 2))
    stepper = make_stepper()
    first, second = records
    assert first.sent_s == 0
    assert second.sent_s == first.done_s == first.chunk_s[-1]
    terms = step_terms(stepper.architecture, stepper.layout, stepper.device, decode_load(1, 101, 128))
    expected = float(stepper.parameters.seconds(terms, sequences=1, link_s=0.0))
    assert first.gaps_s[0] == pytest.approx(expected)
    assert len(first.chunk_s) == first.usage.output_tokens == 50
    assert first.gaps_s == sorted(first.gaps_s)  # the context grows


def test_requests_end_and_nobody_is_lost() -> None:
    records, scheduler = play(make_session(), Users(5, 40))
    assert scheduler.counters.finished == len(records) == 40
    assert all(record.done_s is not None and record.finish_reason == "length" for record in records)
    assert {record.usage.output_tokens for record in records} == {9, 170, 1, 33}
    assert summarize(records).peak_in_flight == 5


def test_a_shared_beginning_is_found_and_saves_time() -> None:
    options = {"input_tokens": (400,), "output_tokens": (4,), "max_num_seqs": 1}
    alone, _ = play(make_session(**options), Users(1, 3))
    shared, _ = play(make_session(**options, shared_tokens=384), Users(1, 3))
    assert [record.usage.cached_tokens for record in shared] == [0, 384, 384]
    assert (shared[1].ttft_s or 0) < 0.5 * (alone[1].ttft_s or 0)


def test_a_chunked_prompt_lets_others_decode() -> None:
    traffic = [0.0, 0.5]
    load = {"input_tokens": (16, 4000), "output_tokens": (200,), "blocks": 1000, "max_num_seqs": 2}
    chunked, _ = play(make_session(**load, max_num_batched_tokens=256), Timetable(traffic))
    whole, _ = play(make_session(**load, max_num_batched_tokens=8192, chunked_prefill=False), Timetable(traffic))
    assert max(chunked[0].gaps_s) < 0.3 * max(whole[0].gaps_s)
    assert (chunked[1].ttft_s or 0) > (whole[1].ttft_s or 0)


def test_speculation_emits_what_its_acceptance_says() -> None:
    session = make_session(
        input_tokens=(64,), output_tokens=(200,), max_num_seqs=1, speculation=Speculation(0.6, 3), seed=5
    )
    records, _ = play(session, Users(1, 30))
    metrics = summarize(records)
    # 1 + a + a^2 + a^3 tokens a pass.
    assert metrics.acceptance_length == pytest.approx(1 + 0.6 + 0.36 + 0.216, rel=0.03)
    assert {record.usage.output_tokens for record in records} == {200}


def test_speculation_speeds_a_dense_model_up_and_reads_more_experts_of_another() -> None:
    load = {"input_tokens": (64,), "output_tokens": (100,), "max_num_seqs": 1}
    gains = []
    for stepper in (make_stepper(DENSE, "fp8"), make_stepper()):
        times = []
        for speculation in (None, Speculation(0.7, 3)):
            sink = Records()
            make_session(**load, speculation=speculation).play(stepper, Users(1, 5), sink)
            times.append(sum(record.tpot_s or 0 for record in sink.records))
        gains.append(times[0] / times[1])
    assert gains[0] > 1.5
    assert gains[1] < gains[0] / 1.5


def test_useless_proposals_cost_time() -> None:
    load = {"input_tokens": (64,), "output_tokens": (100,), "max_num_seqs": 1}
    never, _ = play(make_session(**load, speculation=Speculation(0.0, 3)), Users(1, 1))
    plain, _ = play(make_session(**load), Users(1, 1))
    assert (never[0].tpot_s or 0) > (plain[0].tpot_s or 0)


def test_eager_steps_are_longer() -> None:
    graph = make_stepper(DENSE, "fp8")
    eager = type(graph)(graph.architecture, graph.layout, graph.device, graph.parameters, eager=True)
    launches = graph.architecture.layers * (graph.parameters.eager_layer_s - graph.parameters.layer_s)
    assert float(eager.decode_s([100], 1)[0] - graph.decode_s([100], 1)[0]) == pytest.approx(launches)


def test_steps_are_not_alike_while_somebody_may_join_or_is_prefilled() -> None:
    from helpers.nano.block_manager import BlockManager

    config = SchedulerConfig(max_num_seqs=2, max_num_batched_tokens=32, max_model_len=200)
    scheduler = SkippingScheduler(config, BlockManager(100, 16, prefix_caching=False))
    scheduler.add(make_request(0, 50, 10))
    assert scheduler.steps_alike() == 0  # waits
    scheduler.update(scheduler.schedule(), {})
    assert scheduler.steps_alike() == 0  # half its prompt is computed
    step = scheduler.schedule()
    scheduler.update(step, {work.request: [0] for work in step.work})
    assert scheduler.steps_alike() == 9
    scheduler.add(make_request(1, 5, 10))
    assert scheduler.steps_alike() == 0  # there is a seat
    [ended] = [] if scheduler.skip(8) else scheduler.running
    assert ended.output_tokens == 9
