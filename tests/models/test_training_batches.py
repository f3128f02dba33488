import numpy as np
import pytest
from tokenizers import Tokenizer

from helpers.models.training.batches import KIND_NAMES, encode_example, make_batch
from helpers.models.training.corpus.mixture import Example
from helpers.models.training.tokenizer import END_OF_TEXT_ID, IM_END_ID, IM_START_ID
from tests.models.conftest import make_tokenizer


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return make_tokenizer(320)


def test_only_the_assistants_words_and_their_end_are_learnt(tokenizer: Tokenizer) -> None:
    chat = ({"role": "user", "content": "the key?"}, {"role": "assistant", "content": "the value"})
    ids, kinds = encode_example(tokenizer, Example("lists", chat))
    learnt = [token for token, kind in zip(ids, kinds, strict=True) if kind]
    assert learnt == [*tokenizer.encode("the value").ids, IM_END_ID]
    assert set(kinds) == {0, 1 + KIND_NAMES.index("lists")}
    assert ids[-1] == END_OF_TEXT_ID


def test_a_chat_is_tokenized_as_the_engines_will_see_it(tokenizer: Tokenizer) -> None:
    chat = ({"role": "user", "content": " the  key\n1"}, {"role": "assistant", "content": "cache\n\n"})
    rendered = "".join(f"<|im_start|>{m['role']}\n{m['content']}<|im_end|>\n" for m in chat) + "<|endoftext|>"
    assert encode_example(tokenizer, Example("talk", chat))[0] == tokenizer.encode(rendered).ids


def test_a_batch_depends_on_seed_and_step_alone(tokenizer: Tokenizer) -> None:
    first, again = (make_batch(tokenizer, 1, 7, 4, 256, 20) for _ in range(2))
    np.testing.assert_array_equal(first.inputs, again.inputs)
    np.testing.assert_array_equal(first.positions, again.positions)
    for seed, step in ((1, 8), (2, 7)):
        assert not np.array_equal(first.inputs, make_batch(tokenizer, seed, step, 4, 256, 20).inputs)


def test_targets_are_what_follows_and_rows_hold_whole_chats(tokenizer: Tokenizer) -> None:
    batch = make_batch(tokenizer, 3, 0, 8, 320, 20)
    used = batch.kinds > 0
    assert used.sum() > 0
    flat = batch.inputs.ravel()
    not_last = (batch.positions % 320 != 319) & used
    np.testing.assert_array_equal(flat[batch.positions[not_last] + 1], batch.targets[not_last])
    assert not (batch.positions[~used]).any()
    for row in batch.inputs:
        assert row[0] == IM_START_ID
        assert (row == IM_START_ID).sum() - (row == IM_END_ID).sum() in (0, 1)
