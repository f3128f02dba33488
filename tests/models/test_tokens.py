"""llama.cpp and Hugging Face must read the same text as the same tokens, and write a chat the same way."""

import json
from collections.abc import Iterator
from pathlib import Path

import jinja2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from helpers.models import catalogue, gguf
from tests.models.conftest import SPECIAL_TOKENS
from tests.models.llama_server import LlamaServer, serve

TEXTS = st.lists(
    st.one_of(
        st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
        st.text(" \t\n\r.,'\"-_0123456789aAzZéß½Ⅷ٣\u00a0\u2003\u200b\u0301😀", max_size=12),
        st.sampled_from(["'s", "'ll", "key value cache", "What is TTFT?", " the", *SPECIAL_TOKENS]),
    ),
    max_size=8,
).map("".join)


@pytest.fixture(scope="module", params=["tiny", "course"])
def model(request: pytest.FixtureRequest, tiny_model: Path) -> Path:
    return tiny_model if request.param == "tiny" else catalogue.resolve("course").directory


@pytest.fixture(scope="module")
def server(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LlamaServer]:
    path = tmp_path_factory.mktemp("gguf") / "model.gguf"
    gguf.export(model, path, "q8_0", "tokens")
    with serve(path) as running:
        yield running


def test_token_ids_are_those_of_hugging_face_on_any_text(model: Path, server: LlamaServer) -> None:
    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))

    @given(TEXTS)
    @settings(max_examples=300, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
    def same(text: str) -> None:
        ids = tokenizer.encode(text).ids
        assert server.post("/tokenize", {"content": text, "parse_special": True})["tokens"] == ids

    same()


def test_a_chat_is_written_as_transformers_writes_it(model: Path, server: LlamaServer) -> None:
    messages = [
        {"role": "system", "content": "Answer briefly."},
        {"role": "user", "content": "What is a KV cache?"},
        {"role": "assistant", "content": "Stored keys and values."},
        {"role": "user", "content": "  Why?\n"},
    ]
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True)  # as transformers sets it
    template = json.loads((model / "tokenizer_config.json").read_text())["chat_template"]
    expected = environment.from_string(template).render(messages=messages, add_generation_prompt=True)
    assert server.post("/apply-template", {"messages": messages})["prompt"] == expected
