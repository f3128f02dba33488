import json
from pathlib import Path

import pytest

from helpers.errors import MissingError, UsageError
from helpers.models import hub
from helpers.simulate.architectures import architecture, from_config, known_architectures

LLAMA = {
    "num_hidden_layers": 2,
    "hidden_size": 8,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "vocab_size": 10,
    "max_position_embeddings": 64,
}


@pytest.mark.parametrize("model", hub.models())
def test_parameters_are_the_catalogues(model: str) -> None:
    entry, made = hub.models()[model], architecture(model)
    assert made.parameters == pytest.approx(entry.parameters, rel=0.01)
    assert made.context_length == entry.context_length
    if entry.active_parameters:
        # The catalogue counts the embedding table in, as the models' names do.
        embedding = made.head_parameters if entry.family == "qwen-moe" else 0
        assert made.active_parameters + embedding == pytest.approx(entry.active_parameters, rel=0.025)
    if entry.layers:
        assert made.kv_values_per_layer * (made.full_layers + made.window_layers) == entry.kv_values_per_token


def test_hub_ids_are_the_same_models() -> None:
    assert architecture("Qwen/Qwen3-8B") is architecture("qwen3-8b")


def test_any_config_json_is_read(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(LLAMA))
    made = architecture(str(tmp_path))
    # Two layers of four 8 x 8 matrices and three of 8 x 16; two tables of 10 x 8.
    assert made.parameters == 2 * (4 * 64 + 3 * 128) + 2 * 80
    assert made == architecture(str(tmp_path / "config.json"))
    assert architecture("course").parameters > 4e6


def test_experts_windows_and_shared_experts_are_counted() -> None:
    config = {
        **LLAMA,
        "n_routed_experts": 4,
        "num_experts_per_tok": 2,
        "moe_intermediate_size": 3,
        "n_shared_experts": 1,
        "first_k_dense_replace": 1,
        "sliding_window": 16,
        "layer_types": ["full_attention", "sliding_attention"],
    }
    made = from_config("tiny", config, "")
    assert (made.experts, made.expert_parameters) == (4, 3 * 8 * 3)
    assert made.body_parameters == 2 * 4 * 64 + 3 * 128 + 8 * (4 + 3 * 3)
    assert made.kv_values(100) == (100 + 16) * made.kv_values_per_layer
    assert made.touched_experts(1) == pytest.approx(2)
    assert made.touched_experts(1000) == pytest.approx(4)


def test_half_of_gpt_oss_looks_at_a_window() -> None:
    model = known_architectures()["gpt-oss-120b"]
    assert (model.full_layers, model.window_layers, model.window) == (18, 18, 128)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"num_hidden_layers": None}, "no size|holds a size"),
        ({"hidden_size": "wide"}, "holds a size"),
        ({"hidden_size": 0}, "holds a size"),
        ({"kv_lora_rank": 512}, "MLA"),
        ({"layer_types": ["linear_attention", "full_attention"]}, "linear_attention"),
        ({"hybrid_override_pattern": "MX"}, "X"),
    ],
)
def test_what_is_no_such_model_is_refused(change: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        from_config("odd", {**LLAMA, **change}, "")


def test_unknown_and_broken_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown model 'llama-9'"):
        architecture("llama-9")
    with pytest.raises(MissingError, match="there is no"):
        architecture(str(tmp_path))
    (tmp_path / "config.json").write_text("[")
    with pytest.raises(UsageError, match="cannot be read"):
        architecture(str(tmp_path))
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UsageError, match="has no"):
        architecture(str(tmp_path))
