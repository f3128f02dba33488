import pytest

from helpers.aot.profile import ShapeProfile
from helpers.errors import UsageError


def test_a_range_computes_what_is_there_and_a_fixed_shape_is_filled_up() -> None:
    assert ShapeProfile("range", 8, 512, 4096).shape_of(2, 30, 64) == (2, 30, 64)
    assert ShapeProfile("fixed", 8, 512, 4096).shape_of(2, 30, 64) == (8, 512, 4096)


@pytest.mark.parametrize(
    ("shape", "named"), [((9, 1, 8), "sequences"), ((1, 513, 8), "tokens"), ((1, 1, 4104), "past")]
)
def test_more_than_it_was_built_for_is_refused_by_name(shape: tuple[int, int, int], named: str) -> None:
    with pytest.raises(UsageError, match=f"{named} do not fit") as caught:
        ShapeProfile("range", 8, 512, 4096).shape_of(*shape)
    assert "1 to 8 sequences x 1 to 512 tokens after 0 to 4096" in caught.value.cause


@pytest.mark.parametrize("values", [("loose", 1, 1, 8), ("range", 0, 1, 8), ("fixed", 1, 0, 8), ("fixed", 1, 1, 0)])
def test_nonsense_is_refused(values: tuple[str, int, int, int]) -> None:
    with pytest.raises(UsageError, match="shape profile"):
        ShapeProfile(*values)
