import pytest

from helpers.errors import UsageError
from helpers.nano.request import Request, SamplingOptions


@pytest.mark.parametrize(
    "wrong",
    [
        {"temperature": -0.1},
        {"temperature": float("nan")},
        {"temperature": float("inf")},
        {"top_p": -0.1},
        {"top_p": 1.1},
        {"top_p": float("nan")},
        {"top_k": -1},
        {"seed": -1},
        {"logprobs": -1},
    ],
)
def test_sampling_options_out_of_range_are_refused_by_name(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        SamplingOptions(**wrong)  # type: ignore[arg-type]


def test_a_request_counts_what_is_known_and_what_is_computed() -> None:
    request = Request.of("a", (5, 6, 7), 4)
    assert (request.prompt_tokens, request.output_tokens, request.remaining) == (3, 0, 3)
    request.ids += [8, 9]
    request.computed = 4
    request.draft = [1, 2]
    assert (request.output_tokens, request.output_ids, request.remaining) == (2, [8, 9], 3)
    assert not request.finished


def test_requests_are_equal_only_to_themselves() -> None:
    one, other = Request.of("a", [1], 1), Request.of("a", [1], 1)
    assert one != other
    assert len({one, other}) == 2
