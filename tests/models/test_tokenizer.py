import json
import shutil
from pathlib import Path

import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.errors import MissingError, UsageError
from helpers.models.tokenizer import load_tokenizer


@settings(max_examples=60, deadline=None)
@given(text=st.text(max_size=80))
def test_ids_equal_the_tokenizers_library_and_text_comes_back(tiny_model: Path, text: str) -> None:
    tokenizer = load_tokenizer(str(tiny_model))
    backend = tokenizers.Tokenizer.from_file(str(tiny_model / "tokenizer.json"))
    ids = tokenizer.encode(text)
    assert ids == backend.encode(text, add_special_tokens=False).ids
    assert tokenizer.count(text) == len(ids)
    assert tokenizer.decode(ids) == text


def test_special_tokens_are_one_id_and_are_left_out_of_text(tiny_model: Path) -> None:
    tokenizer = load_tokenizer(str(tiny_model))
    ids = tokenizer.encode("<|im_start|>cache<|im_end|>")
    assert ids[-1] == tokenizer.end_id
    assert tokenizer.decode(ids) == "cache"
    assert max(ids) < tokenizer.size


def test_a_chat_is_rendered_as_chatml(tiny_model: Path) -> None:
    tokenizer = load_tokenizer(str(tiny_model))
    chat = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "  Hi\n"}]
    rendered = "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n  Hi\n<|im_end|>\n"
    assert tokenizer.render_chat(chat) == rendered + "<|im_start|>assistant\n"
    assert tokenizer.render_chat(chat, answer_follows=False) == rendered


def test_what_is_wrong_is_named(tiny_model: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown model"):
        load_tokenizer("coarse")
    (tmp_path / "model.gguf").write_bytes(b"GGUF")
    with pytest.raises(UsageError, match=r"\.gguf file"):
        load_tokenizer(str(tmp_path / "model.gguf"))
    copy = tmp_path / "copy"
    shutil.copytree(tiny_model, copy)
    config = json.loads((copy / "tokenizer_config.json").read_text())
    (copy / "tokenizer_config.json").write_text(json.dumps(config | {"eos_token": "<|nothing|>"}))
    with pytest.raises(MissingError, match="not in the vocabulary"):
        load_tokenizer(str(copy))
    (copy / "tokenizer.json").write_text("{")
    with pytest.raises(MissingError, match="no usable tokenizer"):
        load_tokenizer(str(copy))
