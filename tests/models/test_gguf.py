import json
import shutil
from pathlib import Path

import gguf as gguf_package
import numpy as np
import pytest

from helpers.errors import MissingError, UsageError
from helpers.models import gguf
from helpers.models.checkpoint import read_config, read_tensors
from helpers.models.vocabulary import read_vocabulary
from tests.models.conftest import CHATML, make_checkpoint
from tests.models.llama_server import serve
from tests.models.reference import greedy

PROMPTS = [[5, 9, 40, 70, 100], [200, 31, 8], [77] * 9]


def edit_json(directory: Path, name: str, **changes: object) -> None:
    path = directory / name
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.fixture
def own_model(tiny_model: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copytree(tiny_model, tmp_path / "own"))


def export(directory: Path, tmp_path: Path, precision: str = "f32") -> Path:
    target = tmp_path / f"{precision}.gguf"
    gguf.export(directory, target, precision, "tiny")
    return target


@pytest.mark.parametrize("precision", ["f32", "f16"])
def test_llama_cpp_gives_the_reference_tokens(tiny_model: Path, tmp_path: Path, precision: str) -> None:
    expected = [greedy(tiny_model, prompt, 8) for prompt in PROMPTS]
    with serve(export(tiny_model, tmp_path, precision)) as server:
        assert [server.greedy(prompt, 8) for prompt in PROMPTS] == expected


def test_llama_cpp_loads_q8_0_and_bf16(tiny_model: Path, tmp_path: Path) -> None:
    for precision in ("q8_0", "bf16"):
        with serve(export(tiny_model, tmp_path, precision)) as server:
            assert len(server.greedy(PROMPTS[0], 4)) == 4


@pytest.mark.parametrize("precision", sorted(gguf.PRECISIONS))
def test_matrices_are_as_close_as_the_precision_allows_and_norms_exact(
    tiny_model: Path, tmp_path: Path, precision: str
) -> None:
    reader = gguf_package.GGUFReader(export(tiny_model, tmp_path, precision))
    stored = {tensor.name: tensor for tensor in reader.tensors}
    original = read_tensors(tiny_model)["model.layers.1.mlp.down_proj.weight"].read()
    tensor = stored["blk.1.ffn_down.weight"]
    restored = gguf_package.dequantize(np.asarray(tensor.data), tensor.tensor_type).reshape(original.shape)
    # bf16 holds the master's own numbers; q8_0 rounds to 1/127 of a block's largest element.
    allowed = {"f32": 0.0, "bf16": 0.0, "f16": 1e-3, "q8_0": 0.6 / 127}[precision]
    assert np.abs(restored - original).max() <= allowed * np.abs(original).max()
    assert stored["output_norm.weight"].tensor_type == gguf_package.GGMLQuantizationType.F32
    assert "output.weight" not in stored
    assert gguf.stored_precision(tmp_path / f"{precision}.gguf") == precision


def test_tokenizer_fields(tiny_model: Path, tmp_path: Path) -> None:
    reader = gguf_package.GGUFReader(export(tiny_model, tmp_path))

    def value(key: str) -> object:
        return reader.get_field(f"tokenizer.{key}").contents()

    tokenizer = json.loads((tiny_model / "tokenizer.json").read_text())
    specials = [token["id"] for token in tokenizer["added_tokens"]]
    types = value("ggml.token_type")
    assert (value("ggml.model"), value("ggml.pre"), value("chat_template")) == ("gpt2", "gpt-2", CHATML)
    assert [index for index, kind in enumerate(types) if kind == gguf_package.TokenType.CONTROL] == specials
    assert value("ggml.tokens")[value("ggml.eos_token_id")] == "<|im_end|>"
    assert value("ggml.add_bos_token") is False
    assert len(value("ggml.tokens")) == read_config(tiny_model).vocabulary_size
    assert value("ggml.merges") == [" ".join(merge) for merge in tokenizer["model"]["merges"]]


def test_ids_without_a_token_are_unused(own_model: Path) -> None:
    config = read_config(own_model)
    vocabulary = read_vocabulary(own_model, config.vocabulary_size + 2)
    assert vocabulary.types[-3:] == [gguf_package.TokenType.NORMAL] + [gguf_package.TokenType.UNUSED] * 2
    assert len(set(vocabulary.tokens)) == config.vocabulary_size + 2


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"])
def test_a_missing_file_is_named(own_model: Path, tmp_path: Path, name: str) -> None:
    (own_model / name).unlink()
    with pytest.raises(MissingError, match="safetensors" if "safetensors" in name else name):
        export(own_model, tmp_path)


def test_truncated_weights_are_refused(own_model: Path, tmp_path: Path) -> None:
    weights = own_model / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(MissingError, match="truncated"):
        export(own_model, tmp_path)


def header(text: bytes) -> bytes:
    """A safetensors file with this header and eight bytes of data."""
    return len(text).to_bytes(8, "little") + text + bytes(8)


@pytest.mark.parametrize(
    "content", [b"", b"\xff" * 40, header(b"not json"), header(b"[]"), header(b'{"a": {"dtype": 1}}')]
)
def test_garbage_weights_are_refused(own_model: Path, tmp_path: Path, content: bytes) -> None:
    (own_model / "model.safetensors").write_bytes(content)
    with pytest.raises(MissingError, match="damaged"):
        export(own_model, tmp_path)


def test_a_config_with_a_wrong_value_is_refused(own_model: Path, tmp_path: Path) -> None:
    edit_json(own_model, "config.json", hidden_size="wide")
    with pytest.raises(MissingError, match="wrong value"):
        export(own_model, tmp_path)


def test_a_stored_type_that_cannot_be_read_is_named(own_model: Path, tmp_path: Path) -> None:
    weights = own_model / "model.safetensors"
    weights.write_bytes(weights.read_bytes().replace(b'"BF16"', b'"I16" ', 1))
    with pytest.raises(UsageError, match=r"embed_tokens\.weight is I16"):
        export(own_model, tmp_path)


def test_weights_of_another_model_are_refused(own_model: Path, tmp_path: Path) -> None:
    edit_json(own_model, "config.json", intermediate_size=128)
    with pytest.raises(MissingError, match=r"mlp\.gate_proj\.weight has shape"):
        export(own_model, tmp_path)


def test_q8_0_refuses_rows_that_do_not_divide(tmp_path: Path) -> None:
    odd = make_checkpoint(tmp_path / "odd", intermediate_size=80)
    with pytest.raises(UsageError, match="rows have 80 elements"):
        export(odd, tmp_path, "q8_0")
    assert not (tmp_path / "q8_0.gguf").exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"architectures": ["Qwen3ForCausalLM"]},
        {"hidden_act": "gelu"},
        {"attention_bias": True},
        {"rope_scaling": {"rope_type": "llama3", "factor": 8.0}},
        {"rope_parameters": {"rope_type": "yarn", "rope_theta": 1e4}},
    ],
)
def test_what_is_no_plain_llama_is_refused(own_model: Path, tmp_path: Path, changes: dict[str, object]) -> None:
    edit_json(own_model, "config.json", **changes)
    with pytest.raises(UsageError, match="not a plain Llama"):
        export(own_model, tmp_path)


def test_rope_parameters_of_transformers_5_are_read(own_model: Path) -> None:
    edit_json(own_model, "config.json", rope_theta=None, rope_parameters={"rope_type": "default", "rope_theta": 5e5})
    assert read_config(own_model).rope_theta == 5e5


@pytest.mark.parametrize(
    "changes",
    [
        {"model": {"type": "BPE"}},
        {"model": {"type": "WordPiece", "vocab": {}, "merges": []}},
        {"pre_tokenizer": {"type": "Whitespace"}},
        {"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": True, "use_regex": True}},
        {"normalizer": {"type": "NFC"}},
        {"post_processor": {"type": "TemplateProcessing"}},
    ],
)
def test_other_tokenizers_are_refused(own_model: Path, tmp_path: Path, changes: dict[str, object]) -> None:
    edit_json(own_model, "tokenizer.json", **changes)
    with pytest.raises(UsageError, match="tokenizer cannot be exported"):
        export(own_model, tmp_path)


@pytest.mark.parametrize(
    ("changes", "begin"),
    [
        ({}, "<|endoftext|>"),
        ({"bos_token": {"content": "<|im_start|>"}}, "<|im_start|>"),
        ({"bos_token": None, "pad_token": "<|endoftext|>"}, "<|endoftext|>"),
        ({"bos_token": None}, "<|im_end|>"),
    ],
)
def test_there_is_always_a_begin_token(own_model: Path, changes: dict[str, object], begin: str) -> None:
    edit_json(own_model, "tokenizer_config.json", **changes)
    vocabulary = read_vocabulary(own_model, read_config(own_model).vocabulary_size)
    assert vocabulary.tokens[vocabulary.begin_id] == begin


def test_a_missing_end_token_is_an_error(own_model: Path, tmp_path: Path) -> None:
    edit_json(own_model, "tokenizer_config.json", eos_token="<|stop|>")
    with pytest.raises(MissingError, match="names no end token"):
        export(own_model, tmp_path)


def test_a_missing_chat_template_is_an_error(own_model: Path, tmp_path: Path) -> None:
    edit_json(own_model, "tokenizer_config.json", chat_template=None)
    with pytest.raises(MissingError, match="no chat template"):
        export(own_model, tmp_path)


def test_unknown_precision(tiny_model: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="q4_k_m"):
        export(tiny_model, tmp_path, "q4_k_m")
