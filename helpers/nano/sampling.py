"""From logits to tokens: temperature, top-k, top-p, one generator per request, and verification of proposals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from helpers.errors import CourseError, EngineFailed
from helpers.models.checkpoint import Floats
from helpers.models.llama import softmax
from helpers.nano.request import Draft, Request, SamplingOptions
from helpers.nano.speculative import verify
from helpers.nano.step import Work

Shares = NDArray[np.float64]
TokenLogprobs = tuple[tuple[int, float], ...]
"""A token with its log-probability, and behind it the best tokens with theirs."""


def probabilities(logits: Floats, options: SamplingOptions) -> Shares:
    """What tokens are drawn from, after temperature and cuts.

    Args:
        logits: [rows, vocabulary], finite.
        options: of the request.

    Returns:
        [rows, vocabulary]; at temperature 0 all of it lies on the best token.
    """
    rows = np.arange(len(logits))[:, None]
    if options.temperature == 0:
        shares = np.zeros(logits.shape)
        shares[rows, logits.argmax(axis=1, keepdims=True)] = 1
        return shares
    shares = softmax(logits.astype(np.float64) / options.temperature)
    vocabulary = logits.shape[1]
    if options.top_p < 1 or 0 < options.top_k < vocabulary:
        order = np.argsort(-shares, axis=1, kind="stable")
        ranked = shares[rows, order]
        # A token stays while those before it have less than top_p; the best one always stays.
        dropped = np.cumsum(ranked, axis=1) - ranked >= options.top_p
        dropped[:, options.top_k or vocabulary :] = True
        dropped[:, 0] = False
        ranked[dropped] = 0
        shares[rows, order] = ranked
        shares /= shares.sum(axis=1, keepdims=True)
    return shares


@dataclass(frozen=True, slots=True)
class Sampled:
    """What a step yields for one request.

    Attributes:
        tokens: new ones: the proposals that held, and one more.
        logprobs: one for each, if they were asked for.
        error: why there are none.
    """

    tokens: tuple[int, ...]
    logprobs: tuple[TokenLogprobs, ...] = ()
    error: CourseError | None = None


class Sampler:
    """Draws the tokens of all requests; each has its own generator, so that none depends on what runs beside it."""

    def __init__(self) -> None:
        self._generators: dict[Request, np.random.Generator] = {}

    def sample(self, work: Sequence[Work], logits: Floats, drafts: Mapping[Request, Draft]) -> list[Sampled]:
        """Draw tokens.

        Args:
            work: what was computed of the requests that get tokens.
            logits: one row for each, and one more for each of its proposals, in this order, [rows, vocabulary].
            drafts: the proposals of those works that have some.
        """
        best = logits.argmax(axis=1)
        # A row with a NaN has it as its maximum.
        finite = np.isfinite(logits[np.arange(len(logits)), best])
        sampled = []
        end = 0
        for item in work:
            start, end = end, end + len(item.draft) + 1
            if not finite[start:end].all():
                sampled.append(Sampled((), error=_not_finite(item.request)))
            elif item.draft or item.request.sampling.temperature > 0:
                tokens = self._draw(item, logits[start:end], drafts.get(item.request))
                sampled.append(_with_logprobs(item.request, tokens, logits[start:end]))
            else:
                sampled.append(_with_logprobs(item.request, [int(best[start])], logits[start:end]))
        return sampled

    def forget(self, request: Request) -> None:
        """The request has ended."""
        self._generators.pop(request, None)

    def _draw(self, work: Work, logits: Floats, draft: Draft | None) -> list[int]:
        request = work.request
        generator = self._generators.get(request)
        if generator is None:
            generator = self._generators[request] = np.random.default_rng(request.sampling.seed)
        offered = None if draft is None or draft.probabilities is None else draft.probabilities[: len(work.draft)]
        # The scheduler may have cut the proposals; without any this is a plain draw.
        return verify(probabilities(logits, request.sampling), Draft(work.draft, offered), generator)


def _with_logprobs(request: Request, tokens: Sequence[int], logits: Floats) -> Sampled:
    wanted = request.sampling.logprobs
    if wanted is None:
        return Sampled(tuple(tokens))
    told: list[TokenLogprobs] = []
    for token, row in zip(tokens, logits, strict=False):
        logprobs = np.log(softmax(row[None].astype(np.float64)))[0]
        best = np.argsort(-logprobs, kind="stable")[:wanted]
        told.append(tuple((int(index), float(logprobs[index])) for index in (token, *best)))
    return Sampled(tuple(tokens), tuple(told))


def _not_finite(request: Request) -> EngineFailed:
    return EngineFailed(
        f"the model gave {request.request_id} logits that are no finite numbers",
        "damaged weights, or an overflow in this prompt's values",
        "try another prompt; if none works, fetch the model's files again",
    )
