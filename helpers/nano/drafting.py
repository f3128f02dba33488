"""What proposes tokens: a look-up in the text itself, or a chain of steps of something small.

A `ChainDrafter` runs its proposer over the tokens that the target has just computed, so that its keys and values exist
wherever the target's do, and in the same blocks of a cache of its own: whatever prefix the target finds again, the
proposer finds too. Then it goes on alone, one token at a time, into scratch blocks; the next step overwrites these
guesses with what was accepted.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from helpers.errors import UsageError
from helpers.models.checkpoint import Floats
from helpers.nano.batch import Batch, Piece
from helpers.nano.model import Model
from helpers.nano.request import Draft, Request
from helpers.nano.sampling import probabilities
from helpers.nano.step import Step, Work

DRAFT_TOKENS = 4


class Drafter(Protocol):
    """Who proposes tokens to an engine.

    Attributes:
        feature_layers: layers of the target whose input states it wants; () for none.
    """

    @property
    def feature_layers(self) -> tuple[int, ...]:
        """See the class."""

    def propose(self, step: Step, features: Floats | None) -> Mapping[Request, Draft]:
        """Called after every step, with the states of all its tokens in the order of `step.work`.

        Only a request that has not ended and has all but its newest token computed may get proposals.
        """

    def forget(self, request: Request) -> None:
        """The request has ended."""


class NgramDrafter:
    """Proposes what followed the last tokens the last time that they occurred, in prompt or answer.

    Source: Saxena, "Prompt Lookup Decoding", 2023, https://github.com/apoorvumang/prompt-lookup-decoding. It costs
    nothing, and finds something only in text that repeats itself or its prompt.

    Args:
        draft_tokens: how many it proposes at most.
        longest, shortest: how many last tokens must have occurred before; more are tried first.
    """

    feature_layers: tuple[int, ...] = ()

    def __init__(self, draft_tokens: int = DRAFT_TOKENS, longest: int = 4, shortest: int = 2) -> None:
        self.draft_tokens = require_draft_tokens(draft_tokens)
        self._sizes = range(longest, shortest - 1, -1)
        # For each request: how many tokens were read, and where the text went on after each run of tokens.
        self._seen: dict[Request, tuple[int, dict[tuple[int, ...], int]]] = {}

    def propose(self, step: Step, features: Floats | None) -> Mapping[Request, Draft]:
        """Proposals for the requests of a step that go on."""
        found = {}
        for work in step.work:
            if is_ready(work):
                ids = self._look_up(work.request)
                if ids:
                    found[work.request] = Draft(tuple(ids))
        return found

    def forget(self, request: Request) -> None:
        """It has ended."""
        self._seen.pop(request, None)

    def _look_up(self, request: Request) -> list[int]:
        known = request.ids
        read, places = self._seen.get(request, (0, {}))
        for end in range(max(1, read), len(known)):
            for size in self._sizes:
                if size <= end:
                    places[tuple(known[end - size : end])] = end
        self._seen[request] = (len(known), places)
        place = next(
            (places[last] for size in self._sizes if (last := tuple(known[-size:])) in places and len(last) == size),
            None,
        )
        if place is None:
            return []
        # The copy may reach what it has just written: a text that repeats with a short period goes on repeating.
        proposed: list[int] = []
        for at in range(place, place + self.draft_tokens):
            proposed.append(known[at] if at < len(known) else proposed[at - len(known)])
        return proposed


class Proposer(Protocol):
    """Something that foresees tokens one by one, with a cache of its own."""

    feature_layers: tuple[int, ...]
    context_length: int
    shift: int
    """0 if position p reads token p, as a model does; 1 if it reads token p + 1, as an EAGLE-3 head does."""

    def fuse(self, features: Floats | None) -> Floats | None:
        """The target's states, [tokens, states], as this proposer takes them; None if it takes none."""

    def run(self, batch: Batch, features: Floats | None) -> tuple[Floats, Floats | None]:
        """Logits where the batch wants them, and there the state that the next step takes in the features' place."""


class DraftModel:
    """A smaller model of the same vocabulary as a proposer.

    Args:
        model: the draft.
        blocks, block_size: of its cache.
    """

    feature_layers: tuple[int, ...] = ()
    shift = 0

    def __init__(self, model: Model, blocks: int, block_size: int) -> None:
        self.context_length = model.config.context_length
        self._model = model
        self._cache = model.make_cache(blocks, block_size)

    def fuse(self, features: Floats | None) -> None:
        """A draft model looks at tokens alone."""

    def run(self, batch: Batch, features: Floats | None) -> tuple[Floats, None]:
        """Logits after the chosen tokens."""
        return self._model.forward(batch, self._cache).logits, None


class ChainDrafter:
    """Proposes with a `Proposer`, for all requests of a step together.

    Args:
        proposer: made with a cache of `blocks` + `scratch_blocks(...)` blocks.
        blocks, block_size: of the target's cache.
        draft_tokens: how many tokens to propose.
        sampled: draw proposals from the proposer's distribution where the request is sampled, instead of taking its
            best token. More are kept then (the sum of min(p, q) against p of one token), at the price of a softmax.
            vLLM's and llama.cpp's default is the best token, and so it is here.
    """

    def __init__(
        self,
        proposer: Proposer,
        *,
        blocks: int,
        block_size: int,
        draft_tokens: int = DRAFT_TOKENS,
        sampled: bool = False,
    ) -> None:
        self.feature_layers = proposer.feature_layers
        self.draft_tokens = require_draft_tokens(draft_tokens)
        self._proposer = proposer
        self._blocks, self._block_size = blocks, block_size
        self._sampled = sampled

    def propose(self, step: Step, features: Floats | None) -> Mapping[Request, Draft]:
        """Catches up with the step, then proposes for the requests that go on."""
        catching_up, rows = self._catch_up(step)
        if not catching_up:
            return {}
        ready = [work.request for work in step.work if self._goes_on(work)]
        tables = [piece.blocks for piece in catching_up if piece.logits]
        ends = [piece.start + len(piece.ids) for piece in catching_up if piece.logits]
        state = self._proposer.fuse(None if features is None else features[rows])
        logits, state = self._proposer.run(Batch.of(catching_up, self._block_size), state)
        chosen: list[list[int]] = [[] for _ in ready]
        drawn_from: list[list[NDArray[np.float64]]] = [[] for _ in ready]
        randoms = [np.random.default_rng((request.sampling.seed, len(request.ids))) for request in ready]
        for index in range(self.draft_tokens if ready else 0):
            if index:
                pieces = [
                    Piece((ids[-1],), end + index - 1, table, 1)
                    for ids, end, table in zip(chosen, ends, tables, strict=True)
                ]
                logits, state = self._proposer.run(Batch.of(pieces, self._block_size), state)
            best = logits.argmax(axis=-1)
            for row, request in enumerate(ready):
                if self._sampled and request.sampling.temperature > 0:
                    shares = probabilities(logits[row : row + 1], request.sampling)[0]
                    drawn_from[row].append(shares)
                    chosen[row].append(int(randoms[row].choice(len(shares), p=shares)))
                else:
                    chosen[row].append(int(best[row]))
        return {
            request: Draft(tuple(ids), np.array(shares) if shares else None)
            for request, ids, shares in zip(ready, chosen, drawn_from, strict=True)
        }

    def forget(self, request: Request) -> None:
        """It has ended; what it left in the blocks goes with them."""

    def _catch_up(self, step: Step) -> tuple[list[Piece], list[int]]:
        """What the target has computed and kept in this step, and the rows of its features."""
        pieces: list[Piece] = []
        rows: list[int] = []
        first_row = ready_count = 0
        shift = self._proposer.shift
        for work in step.work:
            request = work.request
            ready = self._goes_on(work)
            if not work.padding and not request.finished and request.computed > work.start:
                end = request.computed + (1 - shift if ready else 0)
                table: Sequence[int] = request.blocks
                if ready:
                    table = [*table, *self._scratch(ready_count)]
                    ready_count += 1
                ids = request.ids[work.start + shift : end + shift]
                pieces.append(Piece(ids, work.start, table, int(ready)))
                rows += range(first_row, first_row + request.computed - work.start)
            first_row += work.tokens
        return pieces, rows

    def _goes_on(self, work: Work) -> bool:
        return is_ready(work) and len(work.request.ids) + self.draft_tokens <= self._proposer.context_length

    def _scratch(self, index: int) -> range:
        per_request = scratch_blocks(1, self.draft_tokens, self._block_size)
        return range(self._blocks + index * per_request, self._blocks + (index + 1) * per_request)


def is_ready(work: Work) -> bool:
    """Whether a request goes on decoding: it is not finished, and all but its last token is computed."""
    request = work.request
    return not work.padding and not request.finished and request.remaining == 1 and request.computed > work.start


def scratch_blocks(requests: int, draft_tokens: int, block_size: int) -> int:
    """Blocks for proposals of so many requests that reach beyond the requests' own blocks."""
    return requests * -(-(draft_tokens + 1) // block_size)


def require_draft_tokens(count: int) -> int:
    """Refuse a number of proposals below 1 (UsageError)."""
    if count < 1:
        raise UsageError(f"draft_tokens cannot be {count}", "speculation proposes at least one token", "draft_tokens=4")
    return count
