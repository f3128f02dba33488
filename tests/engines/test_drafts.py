"""Which draft belongs to a model."""

import pytest

from helpers.engines.drafts import known_draft
from helpers.errors import UsageError
from helpers.models import catalogue


@pytest.mark.parametrize(
    ("model", "speculation", "draft"),
    [
        ("course", "draft", "course-draft"),
        ("course", "eagle3", "course-eagle3"),
        ("course-heavy", "draft", "course-draft"),
        ("course-heavy", "eagle3", "course-heavy-eagle3"),
        ("course", "ngram", ""),
        ("course", "none", ""),
        ("course-draft", "draft", ""),
        ("/some/model", "eagle3", ""),
    ],
)
def test_models_of_the_course(model: str, speculation: str, draft: str) -> None:
    assert known_draft("llama.cpp", model, speculation) == draft
    assert not draft or draft in catalogue.entries()


def test_engines_that_need_a_draft_in_their_own_form() -> None:
    vllm, sglang = (known_draft(engine, "llama-3.1-8b", "eagle3") for engine in ("vllm", "sglang"))
    assert vllm != sglang
    with pytest.raises(UsageError, match=r"no eagle3 draft of llama-3\.1-8b is known"):
        known_draft("llama.cpp", "llama-3.1-8b", "eagle3")
