from pathlib import Path

import numpy as np
import pytest

from helpers.models import gguf, heavy
from helpers.models.checkpoint import LlamaConfig, read_config, read_tensors, to_bfloat16
from tests.models.llama_server import serve
from tests.models.reference import greedy, logits

PROMPTS = [[5, 9, 40, 70, 100], [200, 31, 8], [77] * 9, [1, 300, 2, 12, 13, 14, 15]]
PARAMETERS = 3_000_000


@pytest.fixture(scope="module")
def heavy_model(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("models")
    heavy.write_heavy(tiny_model, target, PARAMETERS)
    return target


def test_size_is_as_asked_and_rows_stay_divisible(heavy_model: Path) -> None:
    config = read_config(heavy_model)
    assert PARAMETERS <= config.parameters < PARAMETERS * 1.02
    assert all(shape[-1] % heavy.ROW_MULTIPLE == 0 for shape in config.tensor_shapes.values())
    stored = sum(int(np.prod(tensor.shape)) for tensor in read_tensors(heavy_model).values())
    assert stored == config.parameters


def test_logits_are_the_same(tiny_model: Path, heavy_model: Path) -> None:
    for prompt in PROMPTS:
        original = logits(tiny_model, prompt)
        assert np.abs(logits(heavy_model, prompt) - original).max() <= 1e-3 * np.abs(original).max()


def test_the_norms_epsilon_matters_and_is_rescaled(tiny_model: Path, heavy_model: Path) -> None:
    assert read_config(heavy_model).norm_epsilon == read_config(tiny_model).norm_epsilon / heavy.WIDTH_FACTOR


def test_llama_cpp_gives_the_original_tokens(tiny_model: Path, heavy_model: Path, tmp_path: Path) -> None:
    gguf.export(heavy_model, tmp_path / "heavy.gguf", "f32", "course-heavy")
    with serve(tmp_path / "heavy.gguf") as server:
        assert [server.greedy(prompt, 8) for prompt in PROMPTS] == [greedy(tiny_model, p, 8) for p in PROMPTS]


def test_the_course_shape_reaches_the_traffic_it_promises() -> None:
    course = LlamaConfig(2048, 256, 6, 4, 2, 64, 704, 4096, 10_000.0, 1e-5, True)
    assert 150_000_000 <= heavy.heavy_config(course, 150_000_000).parameters < 151_000_000


def test_a_projection_of_several_hidden_states_is_padded_block_by_block() -> None:
    generator = np.random.default_rng(3)
    projection = generator.standard_normal((4, 6)).astype(np.float32)
    states = generator.standard_normal((3, 2)).astype(np.float32)
    wide_states = np.stack([heavy.pad(state, (8,)) for state in states])
    wide = heavy.pad(projection, (16, 24), input_blocks=3)
    np.testing.assert_array_equal((wide @ wide_states.ravel())[4:], 0)
    np.testing.assert_allclose((wide @ wide_states.ravel())[:4], projection @ states.ravel(), rtol=1e-6)


def test_bfloat16_rounds_to_nearest_even() -> None:
    one = 0x3F80_0000
    bits = np.array([one, one + 0x7FFF, one + 0x8000, one + 0x8001, one + 0x1_8000], dtype=np.uint32)
    assert to_bfloat16(bits.view(np.float32)).tolist() == [0x3F80, 0x3F80, 0x3F80, 0x3F81, 0x3F82]
