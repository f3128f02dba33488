"""A tiny random Llama checkpoint in Hugging Face layout, made without torch, in the form of the course model."""

import json
from pathlib import Path

import numpy as np
import pytest
from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers, processors
from tokenizers.models import BPE
from tokenizers.trainers import BpeTrainer

from helpers.models.checkpoint import LlamaConfig, write_bfloat16

SPECIAL_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
TRAINING_TEXT = "the key value cache keeps keys and values of the tokens that were read before"


def make_tokenizer(vocabulary_size: int) -> Tokenizer:
    """Byte-level BPE with the GPT-2 split."""
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    trainer = BpeTrainer(
        vocab_size=vocabulary_size,
        show_progress=False,
        special_tokens=[AddedToken(token, special=True, normalized=False) for token in SPECIAL_TOKENS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator([TRAINING_TEXT] * 4, trainer)
    return tokenizer


def make_checkpoint(directory: Path, *, width: int = 64, layers: int = 2, intermediate_size: int = 96) -> Path:
    """Random weights, scaled so that logits differ by whole units."""
    directory.mkdir(parents=True, exist_ok=True)
    tokenizer = make_tokenizer(320)
    tokenizer.save(str(directory / "tokenizer.json"))
    config = LlamaConfig(
        vocabulary_size=tokenizer.get_vocab_size(),
        width=width,
        layers=layers,
        heads=4,
        kv_heads=2,
        head_size=16,
        intermediate_size=intermediate_size,
        context_length=256,
        rope_theta=10_000.0,
        norm_epsilon=1e-5,
        tied_embeddings=True,
    )
    end = tokenizer.token_to_id("<|im_end|>")
    begin = tokenizer.token_to_id("<|endoftext|>")
    files = {
        "config.json": {
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "vocab_size": config.vocabulary_size,
            "hidden_size": width,
            "num_hidden_layers": layers,
            "num_attention_heads": config.heads,
            "num_key_value_heads": config.kv_heads,
            "head_dim": config.head_size,
            "intermediate_size": intermediate_size,
            "max_position_embeddings": config.context_length,
            "rope_theta": config.rope_theta,
            "rms_norm_eps": config.norm_epsilon,
            "hidden_act": "silu",
            "tie_word_embeddings": True,
            "torch_dtype": "bfloat16",
            "bos_token_id": begin,
            "eos_token_id": end,
        },
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "bos_token": "<|endoftext|>",
            "eos_token": "<|im_end|>",
            "chat_template": CHATML,
        },
        "generation_config.json": {"eos_token_id": end},
        "special_tokens_map.json": {"eos_token": "<|im_end|>"},
    }
    for name, content in files.items():
        (directory / name).write_text(json.dumps(content), encoding="utf-8")
    generator = np.random.default_rng(7)

    def weights(name: str) -> np.ndarray:
        shape = config.tensor_shapes[name]
        if len(shape) == 1:
            return generator.uniform(0.5, 1.5, shape).astype(np.float32)
        return (generator.standard_normal(shape) / np.sqrt(shape[1])).astype(np.float32) * 2

    write_bfloat16(directory / "model.safetensors", config.tensor_shapes, weights)
    return directory


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random checkpoint for reading; tests that change files copy it."""
    return make_checkpoint(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder of this test's own."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("COURSE_CACHE", str(folder))
    return folder
