"""The whole training on a handful of steps, where torch is installed."""

import json
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from helpers.models.card import COURSE, read_card
from helpers.models.checkpoint import read_config

torch = pytest.importorskip("torch", reason="torch is needed for training only")

from helpers.models.training import eagle  # noqa: E402
from helpers.models.training.build import DRAFT_SEED, SHIPPED_PLAN, Plan, build  # noqa: E402
from helpers.models.training.network import DRAFT  # noqa: E402
from helpers.models.training.train import Run, Stage, train  # noqa: E402

TINY = (Stage(2, 2, 128, 20, 1.0, 0.5), Stage(1, 1, 256, 60, 0.5, 0.0))
HEAD = eagle.Plan(chats=40, answered=4, steps=2, rows=2)
PLAN = Plan(TINY, TINY, TINY, HEAD, compile_network=False, share=0.01, prompts=1)


# The norms stay in 32 bits beside bfloat16 activations; PyTorch only says that this takes another code path.
@pytest.mark.filterwarnings("ignore:Mismatch dtype between input and weight:UserWarning")
def test_a_tiny_training_ends_with_a_card_and_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    build(tmp_path, PLAN)
    card = read_card(tmp_path)
    assert card.changed == ()
    assert card.training["target"]["steps"] == 3
    assert card.training["draft"]["steps"] == 6
    # The head is measured in an engine: benchmarks/speculation.py puts its figures on the card.
    shipped = {(quality.name, quality.bar) for quality in read_card().quality if not quality.name.startswith("EAGLE")}
    assert {(quality.name, quality.bar) for quality in card.quality} == shipped
    for part in ("target", "draft"):
        assert read_config(tmp_path / part) == read_config(COURSE / part)
        ours, theirs = (folder / part / "tokenizer.json" for folder in (tmp_path, COURSE))
        assert ours.read_bytes() == theirs.read_bytes()
    build(tmp_path, PLAN)
    again = json.loads((tmp_path / "card.json").read_text(encoding="utf-8"))
    assert again["digests"] == card.digests


def test_two_trainings_with_the_same_seeds_give_the_same_weights(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    backend = Tokenizer.from_file(str(COURSE / "draft" / "tokenizer.json"))
    first, second = (
        train(Run("draft", DRAFT, TINY, DRAFT_SEED, tmp_path / name), backend, compile_network=False)
        for name in ("one", "two")
    )
    assert all(torch.equal(values, second[name]) for name, values in first.items())


def test_the_shipped_card_tells_the_steps_of_the_shipped_plan() -> None:
    training = read_card().training
    assert training["target"]["steps"] == sum(stage.steps for stage in SHIPPED_PLAN.target)
    assert training["draft"]["steps"] == sum(stage.steps for stage in (*SHIPPED_PLAN.draft, *SHIPPED_PLAN.distillation))
