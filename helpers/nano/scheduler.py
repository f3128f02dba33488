"""Which requests get how many tokens in the next step: continuous batching.

A scheduler knows no model, no arrays and no clock. `schedule` decides a step; whoever runs it gives the new tokens to
`update`. The engine runs steps on a model, the simulator on a virtual clock.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from helpers.errors import CheckFailed, CourseError, UsageError
from helpers.nano.block_manager import BlockManager
from helpers.nano.request import Request, Status
from helpers.nano.step import Counters, Step, Work


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulerConfig:
    """Limits, under vLLM's names.

    Attributes:
        max_num_seqs: requests that run at once.
        max_num_batched_tokens: tokens computed in one step, the budget; static batching has none.
        max_model_len: prompt and answer together.
        chunked_prefill: a prompt may be computed in parts over several steps, beside the others' decoding. Without it a
            prompt is computed whole, one that is longer than the budget in a step where no other prompt is.

    Raises:
        UsageError: a value is out of its range.
    """

    max_num_seqs: int = 16
    max_num_batched_tokens: int = 512
    max_model_len: int = 4096
    chunked_prefill: bool = True

    def __post_init__(self) -> None:
        for name in ("max_num_seqs", "max_num_batched_tokens", "max_model_len"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} cannot be {getattr(self, name)}", "it must be at least 1")
        if self.max_num_batched_tokens < self.max_num_seqs:
            raise UsageError(
                f"max_num_batched_tokens cannot be {self.max_num_batched_tokens}",
                f"each of {self.max_num_seqs} running requests (max_num_seqs) needs one token of every step's budget",
                f"max_num_batched_tokens={self.max_num_seqs} or more",
            )


class Scheduler:
    """Continuous batching: requests join and leave the batch at every step.

    First come, first served. Each running request gets at least one token of every step; what the budget leaves goes to
    prompts, in the order of arrival. If blocks run out, the request that arrived last gives its own back and is
    computed again later.

    Attributes:
        waiting: in the order of arrival.
        running: in the order of arrival.
    """

    def __init__(self, config: SchedulerConfig, blocks: BlockManager) -> None:
        self.config = config
        self.blocks = blocks
        self.waiting: deque[Request] = deque()
        self.running: list[Request] = []
        self.counters = Counters()

    @property
    def has_work(self) -> bool:
        """Whether any request has not ended."""
        return bool(self.waiting or self.running)

    @property
    def owners(self) -> Sequence[Request]:
        """The requests that own blocks."""
        return self.running

    def add(self, request: Request) -> None:
        """Take a new request.

        Raises:
            UsageError: it could never run; the others are unharmed.
        """
        prompt, longest = request.prompt_tokens, self.config.max_model_len
        if prompt < 1:
            raise UsageError("the prompt is empty", "it has no token to continue from")
        if request.max_tokens < 1:
            raise UsageError(f"max_tokens cannot be {request.max_tokens}", "it must be at least 1")
        if prompt + request.max_tokens > longest:
            raise UsageError(
                f"{prompt} prompt tokens and max_tokens={request.max_tokens} exceed the context of {longest}",
                "prompt and answer share the context (max_model_len)",
                f"at most {longest - prompt} tokens can be generated" if prompt < longest else "shorten the prompt",
            )
        # The last token that is generated is never computed.
        needed = self.blocks.blocks_for(prompt + request.max_tokens - 1)
        if needed > self.blocks.blocks:
            raise UsageError(
                f"the request needs {needed} blocks of the KV cache, which has {self.blocks.blocks}",
                f"a block holds {self.blocks.block_size} tokens of prompt and answer",
                "shorten the prompt, lower max_tokens, or start the engine with a larger num_blocks",
            )
        self.waiting.append(request)

    def propose(self, request: Request, ids: Sequence[int]) -> None:
        """Have these ids verified in the request's next step, as many as it may generate besides one sure token."""
        request.draft = list(ids[: request.max_tokens - request.output_tokens - 1])

    def cancel(self, request: Request) -> bool:
        """End a request; its blocks are back when this returns.

        Returns:
            False if it had ended already.
        """
        if request.finished:
            return False
        self._end(request, "cancelled")
        self.counters.cancelled += 1
        return True

    def fail(self, request: Request, error: CourseError) -> list[int]:
        """End a request with an error.

        Returns:
            The blocks whose content must be erased, since it may be no numbers.
        """
        request.error = error
        self.counters.failed += 1
        return self._end(request, "error", forget=True)

    def schedule(self) -> Step:
        """Decide the next step; empty only if there is no request."""
        work: list[Work] = []
        preempted: list[Request] = []
        budget = self.config.max_num_batched_tokens
        for index, request in enumerate(list(self.running)):
            if request.status is not Status.RUNNING:
                break  # it was preempted for one before it, and so were all behind it
            # One token is kept for each that runs behind this one.
            tokens = min(request.remaining, budget - (len(self.running) - index - 1))
            if request.draft and not self.blocks.can_append(request, tokens):
                request.draft.clear()  # proposals are no reason to take another's blocks
                tokens = request.remaining
            while not self.blocks.can_append(request, tokens):
                preempted.append(self._preempt_last())
                if preempted[-1] is request:
                    break
            else:
                work.append(self._start_work(request, tokens))
                budget -= tokens
        while self.waiting and len(self.running) < self.config.max_num_seqs and budget > 0 and not preempted:
            admitted = self._admit(self.waiting[0], budget, prompts=sum(item.prefill for item in work))
            if admitted is None:
                break
            work.append(admitted)
            budget -= admitted.tokens
        return self._plan(work, preempted)

    def update(self, step: Step, sampled: Mapping[Request, Sequence[int]]) -> list[Request]:
        """Take a step's result.

        Args:
            step: what was run.
            sampled: for each work that samples, the proposals that held and one new token. A request that was
                cancelled or failed in between needs none.

        Returns:
            The requests that have ended with it.
        """
        finished = []
        for work in step.work:
            request = work.request
            if work.padding or request.finished:
                continue
            new = sampled[request] if work.samples else ()
            kept = self._keep(request, new)
            accepted = max(0, len(new) - 1)
            request.computed = min(work.start + work.tokens - len(work.draft) + accepted, len(request.ids))
            request.draft.clear()
            if work.draft:
                request.draft_tokens += len(work.draft)
                request.accepted_tokens += accepted
                self.counters.drafts += 1
                self.counters.draft_tokens += len(work.draft)
                self.counters.accepted_tokens += accepted
                self.blocks.register(request, work.start, request.computed)
            if request.finish_reason is not None:
                self._end(request, request.finish_reason)
                self.counters.finished += 1
                finished.append(request)
            self.counters.generated_tokens += kept
        return finished

    def check(self) -> None:
        """Hold the invariants; for tests, after every step.

        Raises:
            CheckFailed: one is broken.
        """
        for name, requests in (("waiting", self.waiting), ("running", self.running)):
            for request in requests:
                if request.status != name:
                    raise CheckFailed(f"{request.request_id} is {request.status} and listed as {name}")
                if request.remaining < 1 or request.computed > len(request.ids):
                    raise CheckFailed(f"{request.request_id} has computed tokens that are not known")
        if len(self.running) > self.config.max_num_seqs:
            raise CheckFailed(f"{len(self.running)} requests run at once")
        if any(request.blocks for request in self.waiting):
            raise CheckFailed("a waiting request owns blocks")
        self.blocks.check(self.owners)

    def _admit(self, request: Request, budget: int, prompts: int) -> Work | None:
        """Let a waiting request run if there is room for all of its known tokens; else leave it as it was."""
        cached = self.blocks.attach_prefix(request)
        tokens = min(request.remaining, budget)
        whole = self.config.chunked_prefill or tokens == request.remaining
        if not whole and prompts == 0:
            tokens, whole = request.remaining, True
        if not whole or not self.blocks.can_append(request, request.remaining):
            self.blocks.release(request)
            return None
        self.waiting.popleft()
        self._run(request)
        return self._start_work(request, tokens, cached)

    def _run(self, request: Request) -> None:
        request.status = Status.RUNNING
        self.running.append(request)
        if request.preemptions == 0:
            request.cached_tokens = request.computed
            self.counters.prompt_tokens += request.prompt_tokens
            self.counters.cached_tokens += request.cached_tokens

    def _start_work(self, request: Request, tokens: int, cached: int = 0) -> Work:
        self.blocks.allocate(request, tokens)
        known = len(request.ids) - request.computed
        draft = tuple(request.draft[: max(0, tokens - known)])
        # The model writes a step's keys and values before anybody reads them: who joins in this step shares them too.
        self.blocks.register(request, request.computed, request.computed + tokens - len(draft))
        return Work(request, request.computed, tokens, tokens >= known, draft, cached)

    def _plan(self, work: Sequence[Work], preempted: Sequence[Request] = (), padding_tokens: int = 0) -> Step:
        self.counters.steps += 1
        step = Step(self.counters.steps, tuple(work), tuple(preempted), padding_tokens)
        self.counters.computed_tokens += step.tokens
        self.counters.padding_tokens += padding_tokens
        return step

    def _preempt_last(self) -> Request:
        request = self.running.pop()
        self.blocks.release(request)
        request.draft.clear()
        request.status = Status.WAITING
        request.preemptions += 1
        self.counters.preemptions += 1
        self.waiting.appendleft(request)
        return request

    def _keep(self, request: Request, new: Sequence[int]) -> int:
        """Append new tokens up to the one that ends the request."""
        for kept, token in enumerate(new, start=1):
            request.ids.append(token)
            if token in request.stop_ids:
                request.finish_reason = "stop"
            elif request.output_tokens == request.max_tokens:
                request.finish_reason = "length"
            if request.finish_reason is not None:
                return kept
        return len(new)

    def _end(self, request: Request, reason: str, *, forget: bool = False) -> list[int]:
        (self.running if request.status is Status.RUNNING else self.waiting).remove(request)
        request.status = Status.FINISHED
        request.finish_reason = reason
        request.draft.clear()
        return self._give_back(request, forget=forget)

    def _give_back(self, request: Request, *, forget: bool) -> list[int]:
        return self.blocks.release(request, forget=forget)
