"""EAGLE-3 heads on disk: read, refused, padded, exported, and loaded by llama.cpp."""

import json
import shutil
from pathlib import Path

import gguf
import numpy as np
import pytest

from helpers.errors import MissingError, UsageError
from helpers.models import catalogue, heavy
from helpers.models.checkpoint import read_tensors
from helpers.models.eagle import (
    heavy_head_config,
    is_head,
    read_head_config,
    read_head_tensors,
    require_fit,
    write_heavy_head,
)
from tests.models.conftest import make_checkpoint
from tests.models.head import FEATURE_LAYERS, chain, layer_inputs, make_head

IDS = [5, 9, 40, 70, 100, 3, 18]


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp("models") / "target", layers=4)


@pytest.fixture(scope="module")
def head(target: Path) -> Path:
    return make_head(target, target.parent / "head")


def change_config(head: Path, directory: Path, **changes: object) -> Path:
    shutil.copytree(head, directory)
    config = json.loads((head / "config.json").read_text()) | changes
    (directory / "config.json").write_text(json.dumps(config))
    return directory


def test_a_head_is_told_from_a_model(target: Path, head: Path, tmp_path: Path) -> None:
    assert is_head(head)
    assert not is_head(target)
    assert not is_head(tmp_path)
    assert read_head_config(head).feature_layers == FEATURE_LAYERS
    with pytest.raises(UsageError, match="is no EAGLE-3 head"):
        read_head_config(target)


def test_size_is_counted_as_stored(head: Path) -> None:
    assert read_head_config(head).parameters == sum(int(np.prod(t.shape)) for t in read_tensors(head).values())


def test_heads_that_are_not_read_here(head: Path, tmp_path: Path) -> None:
    for name, changes in {
        "two": {"eagle_aux_hidden_state_layer_ids": [1, 2]},
        "part": {"draft_vocab_size": 100},
    }.items():
        with pytest.raises(UsageError, match="is a head that is not read here"):
            read_head_config(change_config(head, tmp_path / name, **changes))


def test_a_damaged_head(head: Path, tmp_path: Path) -> None:
    other = change_config(head, tmp_path / "other", intermediate_size=32)
    with pytest.raises(MissingError, match="gate_proj"):
        read_head_tensors(other, read_head_config(other))


@pytest.mark.parametrize(
    "changes", [{"vocab_size": 100}, {"target_hidden_size": 32}, {"eagle_aux_hidden_state_layer_ids": [1, 2, 9]}]
)
def test_a_head_for_another_model_is_refused(head: Path, target: Path, tmp_path: Path, changes: dict) -> None:
    require_fit(read_head_config(head), target)
    with pytest.raises(UsageError, match="the head does not fit"):
        require_fit(read_head_config(change_config(head, tmp_path / "other", **changes)), target)


def test_padded_head_proposes_the_same_for_the_padded_model(target: Path, head: Path, tmp_path: Path) -> None:
    for name in ("target", "head"):
        (tmp_path / name).mkdir()
    heavy.write_heavy(target, tmp_path / "target", 3_000_000)
    write_heavy_head(head, tmp_path / "head")
    assert read_head_config(tmp_path / "head") == heavy_head_config(read_head_config(head))
    states = layer_inputs(target, IDS[:-1], FEATURE_LAYERS)
    wide_states = layer_inputs(tmp_path / "target", IDS[:-1], FEATURE_LAYERS)
    expected = chain(head, target, IDS, states, 3)
    found = chain(tmp_path / "head", tmp_path / "target", IDS, wide_states, 3)
    np.testing.assert_allclose(found, expected, atol=2e-3 * np.abs(expected).max())
    require_fit(read_head_config(tmp_path / "head"), tmp_path / "target")


def test_exported_file_has_what_llama_cpp_asks_for(head: Path, cache: Path) -> None:
    reader = gguf.GGUFReader(catalogue.gguf(str(head), "f32"))
    fields = {name: field.contents() for name, field in reader.fields.items()}
    assert fields["general.architecture"] == "eagle3"
    assert fields["eagle3.target_layers"] == list(FEATURE_LAYERS)
    assert fields["eagle3.target_hidden_size"] == 64
    tensors = {tensor.name: tensor for tensor in reader.tensors}
    assert len(tensors) == len(read_head_config(head).tensor_shapes)
    assert {"fc.weight", "blk.0.attn_norm_2.weight", "output_norm.weight", "blk.0.attn_q.weight"} <= tensors.keys()
    assert not {"token_embd.weight", "output.weight", "d2t"} & tensors.keys()  # they are the target's
    stored = read_head_tensors(head, read_head_config(head))
    np.testing.assert_array_equal(tensors["fc.weight"].data, stored["fc.weight"])
