"""What is proposed: by look-up, by a draft model, by an EAGLE-3 head; each held against a plain way to get the same."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from helpers.errors import UsageError
from helpers.models.checkpoint import Floats
from helpers.nano.drafting import Drafter, NgramDrafter, scratch_blocks
from helpers.nano.engine import load_engine
from helpers.nano.request import Draft, Request
from helpers.nano.speculation import find_drafter
from helpers.nano.step import Step, Work
from tests.models.conftest import make_checkpoint
from tests.models.head import FEATURE_LAYERS, chain, layer_inputs, make_head
from tests.models.reference import greedy

PROMPTS = [[5, 9, 40, 70, 100], [200, 31, 8, 8, 15, 60, 61, 62, 63], [77] * 20]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with target, draft (another random model) and head."""
    folder = tmp_path_factory.mktemp("models")
    make_checkpoint(folder / "target", layers=4)
    make_checkpoint(folder / "draft", width=32, layers=1, intermediate_size=64)
    make_head(folder / "target", folder / "head")
    return folder


class Watched:
    """A drafter whose proposals are kept, with what was known when they were made."""

    def __init__(self, drafter: Drafter) -> None:
        self.drafter = drafter
        self.feature_layers = drafter.feature_layers
        self.seen: list[tuple[list[int], tuple[int, ...]]] = []

    def propose(self, step: Step, features: Floats | None) -> Mapping[Request, Draft]:
        found = self.drafter.propose(step, features)
        self.seen += [(list(request.ids), draft.ids) for request, draft in found.items()]
        return found

    def forget(self, request: Request) -> None:
        self.drafter.forget(request)


def run(models: Path, speculation: str, draft: str, **options: int) -> Watched:
    """Answers of 24 tokens to all prompts together, with five proposals and small blocks."""
    make = find_drafter(
        speculation, models / "target", draft_model=models / draft, draft_tokens=5, max_num_seqs=options["max_num_seqs"]
    )
    assert make is not None
    watched: list[Watched] = []

    def watch(blocks: object) -> Watched:
        watched.append(Watched(make(blocks)))  # type: ignore[arg-type]
        return watched[0]

    engine = load_engine(
        models / "target", make_drafter=watch, block_size=4, max_model_len=64, prefix_caching=False, **options
    )
    for prompt in PROMPTS:
        engine.add_request(prompt, max_tokens=24, ignore_eos=True)
    engine.run_until_done()
    return watched[0]


# The second budget splits prompts over steps.
BUDGETS = ({"max_num_seqs": 3}, {"max_num_seqs": 2, "max_num_batched_tokens": 13})


@pytest.mark.parametrize("options", BUDGETS, ids=["together", "in chunks"])
def test_a_draft_model_proposes_its_own_greedy_continuation(models: Path, options: dict[str, int]) -> None:
    seen = run(models, "draft", "draft", **options).seen
    assert len(seen) > 30
    for ids, proposed in seen[::7]:
        assert list(proposed) == greedy(models / "draft", ids, 5)


@pytest.mark.parametrize("options", BUDGETS, ids=["together", "in chunks"])
def test_a_head_proposes_what_the_plain_formulas_give(models: Path, options: dict[str, int]) -> None:
    seen = run(models, "eagle3", "head", **options).seen
    assert len(seen) > 30
    for ids, proposed in seen[::7]:
        states = layer_inputs(models / "target", ids[:-1], FEATURE_LAYERS)
        expected = chain(models / "head", models / "target", ids, states, 5)
        assert list(proposed) == expected.argmax(-1).tolist()


def test_a_model_that_drafts_for_itself_is_always_right(models: Path) -> None:
    make = find_drafter("draft", models / "target", draft_model=models / "target", max_num_seqs=2)
    engine = load_engine(models / "target", make_drafter=make, max_num_seqs=2, max_model_len=64)
    request = engine.add_request(PROMPTS[0], max_tokens=21, ignore_eos=True)
    engine.run_until_done()
    assert request.accepted_tokens == request.draft_tokens
    # A prefill step that emits one token, then four steps of five.
    assert engine.counters.steps == 5


def propose(drafter: NgramDrafter, ids: list[int]) -> list[int]:
    request = Request.of("one", ids, 100)
    request.computed = len(ids) - 1
    work = Work(request, 0, len(ids) - 1, samples=True)
    found = drafter.propose(Step(1, (work,), (), 0), None)
    return list(found[request].ids) if request in found else []


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        ([1, 2, 3, 4, 5, 6, 1, 2], [3, 4, 5, 6]),
        ([1, 2, 3, 9, 1, 2, 4, 8, 1, 2], [4, 8, 1, 2]),  # the latest place
        ([1, 2, 3, 4, 9, 3, 4, 7, 2, 3, 4], [9, 3, 4, 7]),  # the longest match before the latest
        ([7, 8, 7, 8, 7, 8], [7, 8, 7, 8]),  # a copy that reaches what it has just written
        ([1, 2, 3, 4], []),
        ([1], []),
    ],
)
def test_look_up(ids: list[int], expected: list[int]) -> None:
    assert propose(NgramDrafter(4), ids) == expected


def test_look_up_reads_each_token_once_and_forgets() -> None:
    drafter = NgramDrafter(2)
    request = Request.of("one", [1, 2, 3], 100)
    for token in (1, 2, 3, 1, 2):
        request.ids.append(token)
        request.computed = len(request.ids) - 1
        step = Step(1, (Work(request, request.computed - 1, 1, samples=True),), (), 0)
        found = drafter.propose(step, None)
    assert found[request].ids == (3, 1)
    drafter.forget(request)
    assert not drafter._seen


def test_no_proposals_for_what_is_unfinished_or_over() -> None:
    request = Request.of("one", [1, 2, 1, 2, 1, 2], 100)
    request.computed = 3
    assert NgramDrafter().propose(Step(1, (Work(request, 0, 3, samples=False),), (), 0), None) == {}


def test_scratch_holds_all_proposals() -> None:
    assert scratch_blocks(3, 4, 16) == 3
    assert scratch_blocks(2, 16, 16) == 4


def test_near_the_end_of_the_context_it_goes_on_alone(models: Path) -> None:
    make = find_drafter("eagle3", models / "target", draft_model=models / "head", max_num_seqs=1)
    engine = load_engine(models / "target", make_drafter=make, max_num_seqs=1)
    request = engine.add_request([5] * 240, ignore_eos=True)
    engine.run_until_done()
    assert len(request.ids) == 256
    assert request.finish_reason == "length"


@pytest.mark.parametrize(
    ("speculation", "draft", "message"),
    [
        ("draft", "other", "cannot draft for target: it has"),
        ("draft", "renamed", "the same number of tokens, but other ones"),
        ("eagle3", "draft", "is no EAGLE-3 head"),
        ("eagle3", "", "needs a draft_model"),
        ("medusa", "", "speculation cannot be 'medusa'"),
    ],
)
def test_a_draft_that_does_not_fit_is_refused(
    models: Path, tmp_path: Path, speculation: str, draft: str, message: str
) -> None:
    for name in ("other", "renamed"):
        shutil.copytree(models / "draft", tmp_path / name)
    config = json.loads((tmp_path / "other" / "config.json").read_text())
    (tmp_path / "other" / "config.json").write_text(json.dumps(config | {"vocab_size": 300}))
    tokenizer = json.loads((tmp_path / "renamed" / "tokenizer.json").read_text())
    tokenizer["model"]["merges"].reverse()
    (tmp_path / "renamed" / "tokenizer.json").write_text(json.dumps(tokenizer))
    folder = models if draft == "draft" else tmp_path
    with pytest.raises(UsageError, match=message):
        find_drafter(speculation, models / "target", draft_model=folder / draft if draft else "")


def test_no_draft_tokens_are_refused() -> None:
    with pytest.raises(UsageError, match="draft_tokens cannot be 0"):
        NgramDrafter(0)
