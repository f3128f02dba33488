from pathlib import Path

import numpy as np
import pytest

from helpers.errors import MissingError, UsageError
from helpers.models.llama import load_llama
from tests.models.reference import greedy, logits

PROMPT = [5, 9, 40, 70, 100, 200, 31, 8, 77, 77, 1, 300]


def test_logits_equal_the_plain_reference(tiny_model: Path) -> None:
    model = load_llama(tiny_model)
    expected = logits(tiny_model, PROMPT)
    np.testing.assert_allclose(model.forward(PROMPT, model.new_cache()), expected, atol=1e-3 * np.abs(expected).max())


@pytest.mark.parametrize("pieces", [[1] * len(PROMPT), [5, 7], [11, 1], [3, 1, 8]])
def test_a_prompt_in_pieces_gives_the_logits_of_the_whole(tiny_model: Path, pieces: list[int]) -> None:
    model = load_llama(tiny_model)
    whole = model.forward(PROMPT, model.new_cache())
    cache = model.new_cache(len(PROMPT))
    parts, start = [], 0
    for size in pieces:
        parts.append(model.forward(PROMPT[start : start + size], cache))
        start += size
        assert cache.length == start
    np.testing.assert_allclose(np.concatenate(parts), whole, atol=1e-3)


def test_greedy_generation_equals_the_reference(tiny_model: Path) -> None:
    assert list(load_llama(tiny_model).generate(PROMPT, 12)) == greedy(tiny_model, PROMPT, 12)


def test_sampling_follows_the_seed_and_the_temperature(tiny_model: Path) -> None:
    model = load_llama(tiny_model)

    def sample(temperature: float, seed: int) -> list[int]:
        return list(model.generate(PROMPT, 12, temperature=temperature, seed=seed))

    assert sample(1.0, 3) == sample(1.0, 3)
    assert sample(1.0, 3) != sample(1.0, 4)
    assert sample(1e-4, 3) == sample(0.0, 0)


def test_a_full_cache_is_an_error_and_not_a_wrong_answer(tiny_model: Path) -> None:
    model = load_llama(tiny_model)
    cache = model.new_cache(4)
    model.forward(PROMPT[:4], cache)
    with pytest.raises(UsageError, match="5 tokens do not fit into 4"):
        model.forward(PROMPT[4:5], cache)
    with pytest.raises(UsageError, match="do not fit into 256"):
        model.forward([5] * 257, model.new_cache(1000))


def test_files_that_are_no_checkpoint_are_named(tmp_path: Path) -> None:
    (tmp_path / "model.gguf").write_bytes(b"GGUF")
    with pytest.raises(UsageError, match=r"is a \.gguf file"):
        load_llama(tmp_path / "model.gguf")
    with pytest.raises(MissingError, match=r"config\.json"):
        load_llama(tmp_path)
