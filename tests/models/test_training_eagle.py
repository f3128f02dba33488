"""Training of the EAGLE-3 head, in small: it needs PyTorch, which the course's environment does not have."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs PyTorch, which is no dependency of the course")

from tokenizers import Tokenizer as Backend  # noqa: E402

from helpers.models.catalogue import resolve  # noqa: E402
from helpers.models.eagle import read_head_config, read_head_tensors, require_fit  # noqa: E402
from helpers.models.llama import load_llama  # noqa: E402
from helpers.models.training.eagle import Plan, train_head  # noqa: E402
from helpers.models.training.eagle_network import FEATURE_LAYERS, Head, export_head  # noqa: E402
from helpers.models.training.network import load_network  # noqa: E402
from helpers.models.training.rollouts import answer_all, write_rollouts  # noqa: E402
from tests.models.head import chain, layer_inputs  # noqa: E402

PROMPTS = [[1, 40, 41, 42, 2], [1, 300, 301, 302, 303, 304, 305, 2, 7], [1, 9]]


@pytest.fixture(scope="module")
def target() -> Path:
    return resolve("course").directory


def test_batched_answers_are_those_of_the_plain_model(target: Path) -> None:
    answers = answer_all(load_network(target), PROMPTS, torch.zeros(3, dtype=torch.bool))
    llama = load_llama(target)
    for prompt, answer in zip(PROMPTS, answers, strict=True):
        assert answer == list(llama.generate(prompt, len(answer)))


def test_rows_hold_whole_chats_and_what_is_learnt(target: Path, tmp_path: Path) -> None:
    backend = Backend.from_file(str(target / "tokenizer.json"))
    weights = {"terms": 1, "stories": 1}
    counts = {"chats": 6, "answered": 2}
    write_rollouts(load_network(target), backend, tmp_path / "r.npz", **counts, weights=weights, length=256, seed=1)
    with np.load(tmp_path / "r.npz") as rows:
        assert rows["ids"].shape == rows["kinds"].shape
        assert rows["ids"].shape[1] == 257
        # What is learnt begins behind "assistant\n" and ends with the end token, whose row goes on with end of text.
        assert ((rows["kinds"] > 0).sum(axis=1) > 0).all()
        assert set(np.unique(rows["kinds"])) <= {0, 1, 6}


def test_a_step_of_the_network_is_a_step_of_the_exported_head(target: Path, tmp_path: Path) -> None:
    network = load_network(target)
    head = Head(network, seed=5)
    with torch.no_grad():
        for matrix in (head.attention_output.weight, head.down.weight):
            torch.nn.init.normal_(matrix, std=0.05)
        for parameter in head.parameters():
            parameter.copy_(parameter.bfloat16().float())
    export_head(head.state_dict(), head.shape, tmp_path)
    ids = PROMPTS[1]
    states = layer_inputs(target, ids, FEATURE_LAYERS)
    expected = chain(tmp_path, target, ids[:-2], states[:-3], 3)
    # The chain's own proposals take the place of the text behind the known tokens.
    text = [*ids[:-2], *expected.argmax(-1).tolist()]
    with torch.no_grad():
        features = torch.zeros(1, len(text), states.shape[1])
        features[0, : len(ids) - 3] = torch.tensor(states[: len(ids) - 3], dtype=torch.float32)
        outputs = head(torch.tensor([text]), features, 3)
        found = torch.cat([head.read_out(output, torch.tensor([len(ids) - 4])) for output in outputs])
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-3 * np.abs(expected).max())


@pytest.mark.filterwarnings("ignore:Mismatch dtype")
def test_training_is_resumed_and_exported(target: Path, tmp_path: Path) -> None:
    facts = train_head(target, tmp_path, tmp_path / "head", Plan(chats=6, answered=2, steps=2, rows=1), False)
    assert facts["steps"] == 2
    config = read_head_config(tmp_path / "head")
    require_fit(config, target)
    first = read_head_tensors(tmp_path / "head", config)
    assert train_head(target, tmp_path, tmp_path / "head", Plan(steps=3, rows=1), False)["steps"] == 3
    second = read_head_tensors(tmp_path / "head", config)
    assert not np.array_equal(first["fc.weight"], second["fc.weight"])
