"""The graph against the plain NumPy model: same logits, whatever lies in the places that nobody should look at."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from helpers.aot.graph import GRAPH_FILE, WEIGHTS_FILE, expand_attention, write_graph
from helpers.models.llama import load_llama

IDS = np.random.default_rng(3).integers(3, 250, 40)


@pytest.fixture(scope="module")
def folder(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("graph")
    write_graph(checkpoint, made)
    return made


def open_session(path: Path) -> Any:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def run(session: Any, ids: np.ndarray, start: int, past: list[np.ndarray], filled: int = 0) -> list[np.ndarray]:
    """One sequence; its new tokens are followed by so many that nobody wants."""
    inputs = {
        "ids": np.concatenate([ids, np.zeros(filled, np.int64)])[None],
        "starts": np.array([start]),
        "last": np.array([len(ids) - 1]),
    }
    found: list[np.ndarray] = session.run(None, inputs | {f"past_{layer}": kv for layer, kv in enumerate(past)})
    return found


def nothing(tokens: int = 0) -> list[np.ndarray]:
    return [np.full((1, tokens, 2, 2, 16), 9.0, np.float32)] * 2


def test_it_is_valid_onnx_and_its_weights_are_beside_it(folder: Path) -> None:
    onnx.checker.check_model(folder / GRAPH_FILE, full_check=True)
    assert (folder / GRAPH_FILE).stat().st_size < 40_000 < (folder / WEIGHTS_FILE).stat().st_size
    inputs = [value.name for value in onnx.load(folder / GRAPH_FILE).graph.input]
    assert inputs == ["ids", "starts", "last", "past_0", "past_1"]


def test_logits_are_those_of_the_plain_model(folder: Path, checkpoint: Path) -> None:
    llama = load_llama(checkpoint)
    expected = llama.forward(list(IDS), llama.new_cache())[-1]
    session = open_session(folder / GRAPH_FILE)
    logits, *new = run(session, IDS, 0, nothing())
    np.testing.assert_allclose(logits[0], expected, atol=1e-4)
    assert [vectors.shape for vectors in new] == [(1, 40, 2, 2, 16)] * 2


def test_in_two_pieces_with_places_filled_up_they_are_the_same(folder: Path, checkpoint: Path) -> None:
    llama = load_llama(checkpoint)
    expected = llama.forward(list(IDS), llama.new_cache())[-1]
    session = open_session(folder / GRAPH_FILE)
    _, *new = run(session, IDS[:25], 0, nothing(8), filled=7)
    past = [np.concatenate([kv[:, :25], rest], axis=1) for kv, rest in zip(new, nothing(15), strict=True)]
    logits, *_ = run(session, IDS[25:], 25, past, filled=300)  # beyond the model's last position, too
    np.testing.assert_allclose(logits[0], expected, atol=1e-4)


def test_attention_written_out_computes_the_same(folder: Path, tmp_path: Path) -> None:
    for name in (GRAPH_FILE, WEIGHTS_FILE):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    expand_attention(tmp_path / GRAPH_FILE)
    operators = {node.op_type for node in onnx.load(tmp_path / GRAPH_FILE, load_external_data=False).graph.node}
    assert "Attention" not in operators
    assert "Softmax" in operators
    one, other = (run(open_session(path / GRAPH_FILE), IDS, 5, nothing(8)) for path in (folder, tmp_path))
    np.testing.assert_allclose(one[0], other[0], atol=1e-4)
