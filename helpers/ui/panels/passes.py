"""Passes of a target over a draft's proposals: which tokens were proposed, which stood, which the target put itself.

Run in this process on nano, whose drafter can be watched; servers tell only how many of the proposals stood.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from helpers.bench.units import digits
from helpers.engines.drafts import known_draft
from helpers.models.checkpoint import Floats
from helpers.models.tokenizer import Tokenizer, load_tokenizer
from helpers.nano.block_manager import BlockManager
from helpers.nano.drafting import Drafter
from helpers.nano.engine import load_engine
from helpers.nano.request import Draft, Request, SamplingOptions
from helpers.nano.speculation import find_drafter
from helpers.nano.step import Step


@dataclass(frozen=True, slots=True)
class Pass:
    """One pass of the target.

    Attributes:
        kept: texts of the proposals that stood.
        rejected: texts of those behind them, which did not.
        own: text of the target's own token; empty where the answer ended within the proposals.
    """

    kept: tuple[str, ...]
    rejected: tuple[str, ...]
    own: str

    @property
    def tokens(self) -> int:
        """Tokens that the pass yielded; an end token, which has no text, among them."""
        return len(self.kept) + 1


@dataclass(frozen=True, slots=True)
class Spoken:
    """An answer, pass by pass."""

    passes: tuple[Pass, ...]

    @property
    def text(self) -> str:
        """The answer."""
        return "".join("".join(one.kept) + one.own for one in self.passes)

    @property
    def summary(self) -> str:
        """What speculation yielded; the first pass, which has no proposals yet, is left out."""
        verified = self.passes[1:]
        kept = sum(len(one.kept) for one in verified)
        proposed = kept + sum(len(one.rejected) for one in verified)
        if not verified or not proposed:
            return f"{sum(one.tokens for one in self.passes)} tokens, and nothing was proposed"
        length = sum(one.tokens for one in verified) / len(verified)
        return (
            f"{digits(length)} tokens a pass of the target over {len(verified)} passes; {kept} of {proposed} proposed "
            f"tokens kept ({kept / proposed:.0%})"
        )


class WatchedDrafter:
    """A drafter whose last proposals can be read."""

    def __init__(self, drafter: Drafter) -> None:
        self._drafter = drafter
        self.last: Mapping[Request, Draft] = {}

    @property
    def feature_layers(self) -> tuple[int, ...]:
        """The drafter's."""
        return self._drafter.feature_layers

    def propose(self, step: Step, features: Floats | None) -> Mapping[Request, Draft]:
        """The drafter's proposals."""
        self.last = self._drafter.propose(step, features)
        return self.last

    def forget(self, request: Request) -> None:
        """The request has ended."""
        self._drafter.forget(request)


def speak(
    prompt: str,
    *,
    model: str = "course",
    speculation: str = "eagle3",
    draft_tokens: int = 4,
    max_tokens: int = 64,
    temperature: float = 0.0,
    seed: int = 0,
) -> Spoken:
    """Answer a question on nano, with speculation.

    Args:
        prompt: the user's words.
        model: an id of the catalogue, or a directory in Hugging Face layout.
        speculation: ngram, draft or eagle3; draft or head are those that the catalogue knows for the model.
        draft_tokens: how many to propose.
        max_tokens: of the answer.
        temperature, seed: of the drawing; 0 takes the best token.

    Raises:
        UsageError: a value out of its range, or the model has no such draft.
        MissingError: the model's files are missing.
    """
    draft_model = known_draft("nano", model, speculation)
    make = find_drafter(speculation, model, draft_model=draft_model, draft_tokens=draft_tokens, max_num_seqs=1)
    watched: list[WatchedDrafter] = []

    def make_watched(blocks: BlockManager) -> Drafter:
        assert make is not None
        watched.append(WatchedDrafter(make(blocks)))
        return watched[0]

    engine = load_engine(model, max_num_seqs=1, make_drafter=make_watched if make is not None else None)
    tokenizer = load_tokenizer(model)
    ids = tokenizer.encode(tokenizer.render_chat([{"role": "user", "content": prompt}]))
    request = engine.add_request(
        ids, max_tokens=max_tokens, sampling=SamplingOptions(temperature=temperature, seed=seed)
    )
    passes: list[Pass] = []
    while engine.has_work:
        known = len(request.ids)
        draft = watched[0].last.get(request) if watched else None
        engine.step()
        if request.error is not None:
            raise request.error
        assert engine.trace is not None
        (work,) = engine.trace.records[-1].work
        if work.generated:
            # The scheduler may have cut the proposals down to what the answer may still have.
            proposed = draft.ids[: work.drafted] if draft is not None else ()
            answer = request.ids[len(ids) :]
            passes.append(_read(tokenizer, answer[: known - len(ids)], answer[known - len(ids) :], proposed))
    return Spoken(tuple(passes))


def _read(tokenizer: Tokenizer, before: list[int], new: list[int], proposed: tuple[int, ...]) -> Pass:
    kept = 0
    while kept < min(len(new), len(proposed)) and new[kept] == proposed[kept]:
        kept += 1
    texts = _texts(tokenizer, before, new)
    rejected = _texts(tokenizer, [*before, *new[:kept]], list(proposed[kept:]))
    return Pass(tuple(texts[:kept]), tuple(rejected), texts[kept] if kept < len(new) else "")


def _texts(tokenizer: Tokenizer, before: list[int], ids: list[int]) -> list[str]:
    """What each token adds to the text; a token alone would lose the space before it."""
    whole = [tokenizer.decode([*before, *ids[:count]]) for count in range(len(ids) + 1)]
    return [longer.removeprefix(shorter) for shorter, longer in pairwise(whole)]
