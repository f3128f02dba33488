"""Equalities down to tokens: every way to run a request gives what `helpers.models.llama` gives it alone."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from helpers.errors import EngineFailed, UsageError
from helpers.models.checkpoint import Floats
from helpers.models.llama import load_llama
from helpers.models.tokenizer import load_tokenizer
from helpers.nano.batch import Batch, Piece
from helpers.nano.block_manager import BlockManager
from helpers.nano.engine import Engine, load_engine
from helpers.nano.model import Model
from helpers.nano.request import Draft, Request, SamplingOptions
from helpers.nano.scheduler import Scheduler, SchedulerConfig
from helpers.nano.static_scheduler import StaticScheduler
from helpers.nano.step import Step
from helpers.nano.trace import Trace
from tests.nano.tiny import CONFIG, make_tiny

LLAMA = make_tiny()
MODEL = Model(LLAMA)
RANDOM = np.random.default_rng(5)
PROMPTS = [RANDOM.integers(0, CONFIG.vocabulary_size, length).tolist() for length in (3, 21, 1, 40, 9, 14)]
LENGTH = 24


def make(
    *, blocks: int = 64, block_size: int = 4, precision: str = "f32", static: bool = False, **options: Any
) -> Engine:
    limits = {"max_num_seqs": 4, "max_num_batched_tokens": 64, "max_model_len": CONFIG.context_length}
    names = limits.keys() | {"chunked_prefill"}
    config = SchedulerConfig(**limits | {name: options.pop(name) for name in names & options.keys()})
    manager = BlockManager(blocks, block_size, prefix_caching=options.pop("prefix_caching", True))
    scheduler = (StaticScheduler if static else Scheduler)(config, manager)
    model = options.pop("model", MODEL)
    return Engine(model, model.make_cache(blocks, block_size, precision), scheduler, trace=Trace(), **options)


def run(engine: Engine) -> None:
    while engine.has_work:
        engine.step()
        engine.scheduler.check()


def alone(prompt: Sequence[int], length: int = LENGTH) -> list[int]:
    return list(_alone(tuple(prompt), length))


@functools.cache
def _alone(prompt: tuple[int, ...], length: int) -> tuple[int, ...]:
    return tuple(LLAMA.generate(prompt, length))


EXPECTED = [alone(prompt) for prompt in PROMPTS]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"max_num_seqs": 1},
        {"max_num_batched_tokens": 5},
        {"max_num_batched_tokens": 8, "chunked_prefill": False},
        {"blocks": 24},
        {"blocks": 17, "max_num_batched_tokens": 7},
        {"prefix_caching": False, "block_size": 1, "blocks": 200},
        {"static": True},
        {"static": True, "blocks": 20},
    ],
    ids=str,
)
def test_batched_chunked_preempted_or_static_is_alone(options: dict[str, Any]) -> None:
    engine = make(**options)
    requests = [engine.add_request(prompt, max_tokens=LENGTH) for prompt in PROMPTS]
    run(engine)
    assert [request.output_ids for request in requests] == EXPECTED
    if options.get("blocks", 64) < 20 and not options.get("static"):
        assert engine.counters.preemptions > 0


@pytest.mark.parametrize("precision", ["f32", "int8"])
def test_a_prefix_that_the_same_step_computes_is_fresh(precision: str) -> None:
    prompts = [[*PROMPTS[3], token] for token in (7, 8, 9)]
    fresh, sharing = (make(precision=precision, prefix_caching=shared) for shared in (False, True))
    answers = []
    for engine in (fresh, sharing):
        requests = [engine.add_request(prompt, max_tokens=LENGTH) for prompt in prompts]
        run(engine)
        answers.append([request.output_ids for request in requests])
    assert answers[0] == answers[1]
    assert [request.cached_tokens for request in requests] == [0, 40, 40]
    assert [work.start for work in sharing.trace.records[0].work] == [0, 40, 40]


def test_a_cached_prefix_is_fresh() -> None:
    engine = make()
    first = engine.add_request(PROMPTS[3], max_tokens=LENGTH)
    run(engine)
    again = engine.add_request(PROMPTS[3], max_tokens=LENGTH)
    longer = engine.add_request([*PROMPTS[3], *EXPECTED[3], 7], max_tokens=8)
    run(engine)
    assert (first.cached_tokens, again.cached_tokens, longer.cached_tokens) == (0, 36, 60)
    assert again.output_ids == EXPECTED[3]
    assert longer.output_ids == alone([*PROMPTS[3], *EXPECTED[3], 7], 8)


def test_sampled_tokens_do_not_depend_on_the_others_nor_on_preemption() -> None:
    def sample(engine: Engine, prompts: Sequence[Sequence[int]]) -> list[list[int]]:
        requests = [
            engine.add_request(prompt, max_tokens=16, sampling=SamplingOptions(temperature=1.0, top_p=0.95, seed=index))
            for index, prompt in enumerate(prompts)
        ]
        run(engine)
        return [request.output_ids for request in requests]

    together = sample(make(), PROMPTS)
    preempted = make(blocks=17)
    assert sample(preempted, PROMPTS) == together
    assert preempted.counters.preemptions > 0
    assert sample(make(), PROMPTS[:1]) == together[:1]
    assert together[1] != EXPECTED[1][:16]


class OracleDrafter:
    """Proposes what the model will say, with every third token wrong."""

    feature_layers = (0, 2)

    def __init__(self) -> None:
        self.rows: list[int] = []
        self.ended: list[Request] = []

    def propose(self, step: Step, features: Floats | None) -> Mapping[Request, Draft]:
        assert features is not None
        assert features.shape == (step.tokens, 2 * CONFIG.width)
        drafts = {}
        for work in step.work:
            request = work.request
            if request.finished or request.remaining != 1:
                continue
            known = alone(request.ids[: request.prompt_tokens], 2 * LENGTH)
            right = known[request.output_tokens : request.output_tokens + 5]
            drafts[request] = Draft(tuple(token if index % 3 < 2 else 60 - token for index, token in enumerate(right)))
        return drafts

    def forget(self, request: Request) -> None:
        self.ended.append(request)


@pytest.mark.parametrize("options", [{}, {"blocks": 17}, {"max_num_batched_tokens": 6}, {"static": True}], ids=str)
def test_verified_proposals_change_no_token_and_save_steps(options: dict[str, Any]) -> None:
    drafter = OracleDrafter()
    engine = make(drafter=drafter, **options)
    requests = [engine.add_request(prompt, max_tokens=LENGTH) for prompt in PROMPTS]
    run(engine)
    assert [request.output_ids for request in requests] == EXPECTED
    assert set(drafter.ended) == set(requests)
    assert engine.counters.accepted_tokens > 0
    assert engine.counters.accepted_tokens < engine.counters.draft_tokens
    plain = make(**options)
    for prompt in PROMPTS:
        plain.add_request(prompt, max_tokens=LENGTH)
    run(plain)
    assert engine.counters.steps < plain.counters.steps


def test_an_end_token_ends_the_answer_unless_it_is_ignored() -> None:
    end = EXPECTED[1][7]
    expected = EXPECTED[1][: EXPECTED[1].index(end) + 1]
    engine = make(end_ids=frozenset({end}))
    request = engine.add_request(PROMPTS[1], max_tokens=LENGTH)
    ignoring = engine.add_request(PROMPTS[1], max_tokens=LENGTH, ignore_eos=True)
    run(engine)
    assert (request.output_ids, request.finish_reason) == (expected, "stop")
    assert (ignoring.output_ids, ignoring.finish_reason) == (EXPECTED[1], "length")


def test_outputs_tell_what_each_step_yielded() -> None:
    engine = make()
    request = engine.add_request(PROMPTS[0], max_tokens=3, sampling=SamplingOptions(logprobs=2), request_id="mine")
    outputs = []
    while engine.has_work:
        outputs += engine.step()
    assert [output.tokens for output in outputs] == [(token,) for token in EXPECTED[0][:3]]
    assert [output.finish_reason for output in outputs] == [None, None, "length"]
    assert all(output.request is request and len(output.logprobs[0]) == 3 for output in outputs)
    assert request.request_id == "mine"
    assert engine.step() == []


def test_streams_run_side_by_side_and_a_closed_one_is_cancelled() -> None:
    engine = make(prefix_caching=False)
    first = engine.stream(engine.add_request(PROMPTS[0], max_tokens=LENGTH))
    leaving = engine.add_request(PROMPTS[1], max_tokens=LENGTH)
    second = engine.stream(leaving)
    assert [next(first), next(second), next(first)] == [EXPECTED[0][0], EXPECTED[1][0], EXPECTED[0][1]]
    second.close()
    assert (leaving.finish_reason, leaving.blocks) == ("cancelled", [])
    assert list(first) == EXPECTED[0][2:]
    assert engine.scheduler.blocks.used_blocks == 0


def test_cancelling_gives_the_blocks_back_at_once() -> None:
    engine = make()
    staying = engine.add_request(PROMPTS[0], max_tokens=LENGTH)
    leaving = engine.add_request(PROMPTS[3], max_tokens=LENGTH, request_id="leaving")
    engine.step()
    assert engine.cancel("leaving")
    assert leaving.blocks == []
    assert not engine.cancel("leaving")
    assert not engine.cancel("nobody")
    run(engine)
    assert staying.output_ids == EXPECTED[0]
    engine.add_request(PROMPTS[3], request_id="leaving")  # the id is free again


POISON = 60
"""A token whose embedding is made no number, as an overflow would."""


@pytest.mark.parametrize("precision", ["f32", "int8"])
def test_logits_that_are_no_numbers_fail_one_request_alone(precision: str) -> None:
    llama = make_tiny()
    llama.embedding[POISON] = np.nan
    clean = [[token for token in prompt if token != POISON] for prompt in PROMPTS]
    reference = make(model=Model(llama), precision=precision)
    expected = [reference.add_request(prompt, max_tokens=6) for prompt in clean]
    run(reference)
    engine = make(model=Model(llama), precision=precision, blocks=40)
    requests = [engine.add_request(prompt, max_tokens=6) for prompt in clean[:3]]
    bad = engine.add_request([1, 2, 3, 4, 5, 6, 7, 8, POISON, 9], max_tokens=6)
    requests += [engine.add_request(prompt, max_tokens=6) for prompt in clean[3:]]
    failed = [
        output for _ in range(60) if engine.has_work for output in engine.step() if output.finish_reason == "error"
    ]
    assert [output.request for output in failed] == [bad]
    assert isinstance(bad.error, EngineFailed)
    assert engine.counters.failed == 1
    # Its blocks went to others, whose tokens show that nothing was left in them.
    assert [request.output_ids for request in requests] == [request.output_ids for request in expected]
    with pytest.raises(EngineFailed, match="no finite numbers"):
        list(engine.stream(engine.add_request([POISON], max_tokens=2)))


@pytest.mark.parametrize(
    ("prompt", "options", "message"),
    [
        ([], {}, "prompt is empty"),
        ([1, 61], {}, "token id 61"),
        ([-1], {}, "token id -1"),
        ([1], {"max_tokens": 0}, "max_tokens cannot be 0"),
        ([1] * 96, {}, "exceed the context of 96"),
        ([1] * 200, {"max_tokens": 4}, "shorten the prompt"),
        ([1] * 90, {"max_tokens": 5}, "24 blocks of the KV cache, which has 20"),
        ([1], {"request_id": "taken"}, "there is a request taken already"),
    ],
)
def test_bad_input_is_refused_and_the_others_are_unharmed(
    prompt: list[int], options: dict[str, Any], message: str
) -> None:
    engine = make(blocks=20)
    good = engine.add_request(PROMPTS[0], max_tokens=LENGTH, request_id="taken")
    engine.step()
    with pytest.raises(UsageError) as caught:
        engine.add_request(prompt, **options)
    assert message in str(caught.value)
    run(engine)
    assert good.output_ids == EXPECTED[0]


def test_without_max_tokens_it_goes_on_to_the_end_of_the_context() -> None:
    engine = make()
    request = engine.add_request([1] * 90)
    run(engine)
    assert request.output_tokens == 6


def test_nothing_is_kept_of_requests_that_ended() -> None:
    engine = make(drafter=OracleDrafter())
    for prompt in PROMPTS:
        engine.add_request(prompt, max_tokens=4, sampling=SamplingOptions(temperature=1.0))
    engine.add_request(PROMPTS[0], request_id="leaving")
    engine.step()
    engine.cancel("leaving")
    run(engine)
    assert engine._requests == {}
    assert engine._drafts == {}
    assert engine._sampler._generators == {}


def test_the_trace_has_every_step() -> None:
    engine = make(max_num_batched_tokens=8, max_num_seqs=2)
    for prompt in PROMPTS[:3]:
        engine.add_request(prompt, max_tokens=3)
    run(engine)
    assert engine.trace is not None
    assert (
        sum(work.tokens for record in engine.trace.records for work in record.work) == engine.counters.computed_tokens
    )
    assert len(engine.trace.records) == engine.counters.steps


def test_batching_must_be_known() -> None:
    with pytest.raises(UsageError, match="continuous, static"):
        load_engine("course", batching="dynamic")
    with pytest.raises(UsageError, match="trained for 4096"):
        load_engine("course", max_model_len=5000)


def test_the_course_model_answers_as_its_reference_does() -> None:
    """The shipped weights, in 16 streams, with a chunk budget, preemption and shared prefixes at once."""
    tokenizer, llama = load_tokenizer("course"), load_llama("course")
    questions = ["What is a KV cache?", "Count from 1 to 20.", "Tell me a story about a fox.", "What is TTFT?"]
    prompts = [tokenizer.encode(tokenizer.render_chat([{"role": "user", "content": text}])) for text in questions]
    engine = load_engine("course", max_num_batched_tokens=32, num_blocks=32, max_model_len=160)
    requests = [engine.add_request(prompt, max_tokens=24) for prompt in prompts for _ in range(4)]
    run(engine)
    assert engine.counters.preemptions > 0
    assert engine.counters.cached_tokens > 0
    for index, prompt in enumerate(prompts):
        expected = []
        for token in llama.generate(prompt, 24):
            expected.append(token)
            if token == tokenizer.end_id:
                break
        assert [request.output_ids for request in requests[4 * index : 4 * index + 4]] == [expected] * 4


def test_int8_keys_and_values_leave_the_models_loss_as_it_is() -> None:
    tokenizer = load_tokenizer("course")
    model = Model(load_llama("course"))
    text = tokenizer.encode(tokenizer.render_chat([{"role": "user", "content": "What is a KV cache?"}]))
    engine = load_engine("course", loaded=model)
    request = engine.add_request(text, max_tokens=32, ignore_eos=True)
    engine.run_until_done()
    losses = {}
    for precision in ("f32", "int8"):
        batch = Batch.of([Piece(request.ids, 0, list(range(16)), len(request.ids))], 16)
        logits = model.forward(batch, model.make_cache(16, 16, precision)).logits[:-1].astype(np.float64)
        logits -= logits.max(axis=1, keepdims=True)
        chosen = logits[np.arange(len(logits)), request.ids[1:]] - np.log(np.exp(logits).sum(axis=1))
        losses[precision] = -chosen[request.prompt_tokens :].mean()
    assert losses["int8"] == pytest.approx(losses["f32"], abs=0.02)
