"""The loop that joins scheduler, model and sampling: requests in, tokens out, one step at a time.

Not safe for several threads: requests are added, cancelled and stepped by one thread, between steps.
"""

import itertools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from helpers.errors import UsageError
from helpers.models.checkpoint import Floats
from helpers.models.tokenizer import load_tokenizer
from helpers.nano.batch import Batch, Piece
from helpers.nano.block_manager import BLOCK_SIZE, BlockManager
from helpers.nano.drafting import Drafter
from helpers.nano.kv_cache import KvCache, bytes_per_token
from helpers.nano.model import AnyModel, load_model
from helpers.nano.request import GREEDY, Draft, Request, SamplingOptions, Status
from helpers.nano.sampling import Sampler, TokenLogprobs
from helpers.nano.scheduler import Scheduler, SchedulerConfig
from helpers.nano.static_scheduler import StaticScheduler
from helpers.nano.step import Counters, Step
from helpers.nano.trace import Scheduled, Trace

SCHEDULERS: Mapping[str, type[Scheduler]] = {"continuous": Scheduler, "static": StaticScheduler}

DEFAULT_CACHE_BYTES = 256 * 2**20
"""What a cache takes at most where no number of blocks is given: 43,000 tokens of the course model."""


@dataclass(frozen=True, slots=True)
class Output:
    """What one step yielded for one request.

    Attributes:
        tokens: new ones.
        logprobs: one for each, if they were asked for.
        finish_reason: with the last of them; `error` if it failed, see `request.error`.
    """

    request: Request
    tokens: tuple[int, ...]
    logprobs: tuple[TokenLogprobs, ...]
    finish_reason: str | None


class Engine:
    """An engine over one model.

    Args:
        model: the model.
        cache: made by it, with the blocks and block size of the scheduler's block manager.
        scheduler: continuous or static.
        end_ids: tokens that end an answer.
        drafter: who proposes tokens; None for no speculation.
        trace: records each step; None for no trace.
    """

    def __init__(
        self,
        model: AnyModel,
        cache: KvCache,
        scheduler: Scheduler,
        *,
        end_ids: frozenset[int] = frozenset(),
        drafter: Drafter | None = None,
        trace: Trace | None = None,
    ) -> None:
        self.model = model
        self.cache = cache
        self.scheduler = scheduler
        self.end_ids = end_ids
        self.drafter = drafter
        self.trace = trace
        self._sampler = Sampler()
        self._requests: dict[str, Request] = {}
        self._drafts: dict[Request, Draft] = {}
        self._numbers = itertools.count(1)

    @property
    def has_work(self) -> bool:
        """Whether any request has not ended."""
        return self.scheduler.has_work

    @property
    def counters(self) -> Counters:
        """What was done since the start."""
        return self.scheduler.counters

    def add_request(
        self,
        ids: Sequence[int],
        *,
        max_tokens: int | None = None,
        sampling: SamplingOptions = GREEDY,
        ignore_eos: bool = False,
        request_id: str | None = None,
    ) -> Request:
        """Take a request; the next step may run it.

        Args:
            ids: the prompt's tokens.
            max_tokens: most tokens to generate; None is what the context has left.
            sampling: how tokens are drawn.
            ignore_eos: the end token does not end it.
            request_id: unique among those that have not ended; None makes one.

        Raises:
            UsageError: it could never run.
        """
        vocabulary = self.model.config.vocabulary_size
        strange = next((token for token in ids if not 0 <= token < vocabulary), None)
        if strange is not None:
            raise UsageError(f"the prompt has the token id {strange}", f"the vocabulary has {vocabulary} tokens")
        name = f"request-{next(self._numbers)}" if request_id is None else request_id
        if name in self._requests:
            raise UsageError(f"there is a request {name} already", "ids are unique among requests that run or wait")
        if max_tokens is None:
            # A prompt that leaves nothing is refused by the scheduler, in its own words.
            max_tokens = max(1, self.scheduler.config.max_model_len - len(ids))
        stop_ids = frozenset() if ignore_eos else self.end_ids
        request = Request.of(name, ids, max_tokens, stop_ids=stop_ids, sampling=sampling)
        self.scheduler.add(request)
        self._requests[name] = request
        return request

    def cancel(self, request_id: str) -> bool:
        """End a request; its blocks are back when this returns.

        Returns:
            False if there is none of this id that has not ended.
        """
        if (request := self._requests.get(request_id)) is None:
            return False
        self.scheduler.cancel(request)
        self._forget(request)
        return True

    def step(self) -> list[Output]:
        """Run one step; what it yielded, for each request that got tokens or failed."""
        started_s = time.perf_counter()
        step = self.scheduler.schedule()
        if not step.work:
            return []
        scheduled = None if self.trace is None else Scheduled.of(self.scheduler, step)
        scheduled_s = time.perf_counter()
        pieces = [Piece(work.ids, work.start, work.request.blocks, work.logits) for work in step.work]
        batch = Batch.of(pieces, self.cache.block_size)
        wanted = self.drafter.feature_layers if self.drafter is not None else ()
        # What overflows shows in the logits, and fails its own request there.
        with np.errstate(over="ignore", invalid="ignore"):
            forward = self.model.forward(batch, self.cache, wanted)
        computed_s = time.perf_counter()
        outputs = self._take(step, pieces, forward.logits)
        sampled_s = time.perf_counter()
        self._propose(step, forward.features)
        for request in [output.request for output in outputs if output.finish_reason is not None]:
            self._forget(request)
        if scheduled is not None and self.trace is not None:
            times_s = {
                "started_s": started_s,
                "schedule_s": scheduled_s - started_s,
                "forward_s": computed_s - scheduled_s,
                "sample_s": sampled_s - computed_s,
                "draft_s": time.perf_counter() - sampled_s,
            }
            self.trace.add(scheduled, self.scheduler, times_s)
        return outputs

    def stream(self, request: Request) -> Iterator[int]:
        """The request's tokens as they come; steps the engine, and with it all other requests.

        A stream that is closed early cancels its request.

        Raises:
            CourseError: the request failed.
        """
        told = request.prompt_tokens
        try:
            while True:
                while told < len(request.ids):
                    told += 1
                    yield request.ids[told - 1]
                if request.error is not None:
                    raise request.error
                if request.finished:
                    return
                self.step()
        finally:
            if not request.finished:
                self.cancel(request.request_id)

    def run_until_done(self) -> None:
        """Step until every request has ended."""
        while self.has_work:
            self.step()

    def _take(self, step: Step, pieces: Sequence[Piece], logits: Floats) -> list[Output]:
        """Draw tokens and give them to the scheduler."""
        # A padding row's logits were computed like any other; nobody wants them.
        wanted = np.repeat([not work.padding for work in step.work], [piece.logits for piece in pieces])
        sampling = [work for work in step.work if work.samples]
        sampled = self._sampler.sample(sampling, logits[wanted], self._drafts)
        results = {work.request: result for work, result in zip(sampling, sampled, strict=True)}
        before = {request: len(request.ids) for request in results}
        for request, result in results.items():
            if result.error is not None:
                self.cache.erase(self.scheduler.fail(request, result.error))
        self.scheduler.update(step, {request: result.tokens for request, result in results.items()})
        outputs = []
        for request, result in results.items():
            # An end token among accepted proposals cuts off what comes behind it.
            tokens = tuple(request.ids[before[request] :])
            outputs.append(Output(request, tokens, result.logprobs[: len(tokens)], request.finish_reason))
        return outputs

    def _propose(self, step: Step, features: Floats | None) -> None:
        self._drafts.clear()
        if self.drafter is None:
            return
        for request, draft in self.drafter.propose(step, features).items():
            if request.status is Status.RUNNING:
                self.scheduler.propose(request, draft.ids)
                self._drafts[request] = draft

    def _forget(self, request: Request) -> None:
        self._requests.pop(request.request_id, None)
        self._drafts.pop(request, None)
        self._sampler.forget(request)
        if self.drafter is not None:
            self.drafter.forget(request)


def load_engine(
    model: str | Path = "course",
    *,
    loaded: AnyModel | None = None,
    batching: str = "continuous",
    max_num_seqs: int = 16,
    max_num_batched_tokens: int = 512,
    max_model_len: int | None = None,
    chunked_prefill: bool = True,
    prefix_caching: bool = True,
    block_size: int = BLOCK_SIZE,
    num_blocks: int | None = None,
    kv_cache_dtype: str = "f32",
    make_drafter: Callable[[BlockManager], Drafter] | None = None,
    trace: bool = True,
) -> Engine:
    """An engine on a model.

    Args:
        model: an id of the catalogue, or a directory in Hugging Face layout.
        loaded: the same model, if it is loaded already, or spread over processes.
        batching: `continuous` or `static`; static batching shares no prefixes.
        max_num_seqs, max_num_batched_tokens, chunked_prefill: see `SchedulerConfig`.
        max_model_len: prompt and answer together; None is what the model was trained for.
        prefix_caching: whether requests share what their prompts have in common.
        block_size: tokens of a block.
        num_blocks: None is room for all sequences at full length, but at most 256 MiB, and at least for one.
        kv_cache_dtype: `f32` or `int8`.
        make_drafter: makes who proposes tokens; None is no speculation.
        trace: whether steps are recorded.

    Raises:
        UsageError: a value is out of its range, or the model cannot be read.
        MissingError: the model's files are missing or damaged.
    """
    if batching not in SCHEDULERS:
        raise UsageError(f"batching cannot be {batching!r}", f"it is one of {', '.join(SCHEDULERS)}")
    loaded = load_model(model) if loaded is None else loaded
    trained = loaded.config.context_length
    if max_model_len is not None and max_model_len > trained:
        raise UsageError(f"max_model_len cannot be {max_model_len}", f"the model was trained for {trained} positions")
    config = SchedulerConfig(
        max_num_seqs=max_num_seqs,
        max_num_batched_tokens=max_num_batched_tokens,
        max_model_len=trained if max_model_len is None else max_model_len,
        chunked_prefill=chunked_prefill,
    )
    if num_blocks is None:
        fitting = DEFAULT_CACHE_BYTES // (bytes_per_token(loaded.config, kv_cache_dtype) * block_size)
        for_one = -(-config.max_model_len // block_size)
        num_blocks = max(for_one, min(fitting, for_one * max_num_seqs))
    blocks = BlockManager(num_blocks, block_size, prefix_caching=prefix_caching and batching == "continuous")
    return Engine(
        loaded,
        loaded.make_cache(num_blocks, block_size, kv_cache_dtype),
        SCHEDULERS[batching](config, blocks),
        end_ids=frozenset({load_tokenizer(str(model)).end_id}),
        drafter=None if make_drafter is None else make_drafter(blocks),
        trace=Trace() if trace else None,
    )
