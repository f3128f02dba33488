import pytest

from helpers.bench.plots_blocks import plot_blocks, plot_waste
from helpers.errors import UsageError
from tests.bench.traces import make_trace


def blocks_of(figure, name: str) -> set[int]:
    return {block for trace in figure.data if trace.name.startswith(name) for block in trace.customdata}


def test_every_block_of_the_map_is_somebodys_shared_kept_or_free_once() -> None:
    trace = make_trace([(64 + 9 * number, 20) for number in range(6)], shared=48, late=4)
    for step in trace[::6]:
        figure = plot_blocks(trace, step.number)
        shown = [block for part in figure.data for block in part.customdata]
        assert sorted(shown) == list(range(len(shown)))
        used = len(blocks_of(figure, "request")) + len(blocks_of(figure, "shared"))
        assert used == step.used_blocks
        assert len(blocks_of(figure, "kept")) == step.cached_blocks


def test_shared_blocks_say_by_how_many() -> None:
    trace = make_trace([(64, 20)] * 4, shared=48, late=3, seats=3)
    figure = plot_blocks(trace)
    assert len(blocks_of(figure, "shared by 3")) == 3
    assert "3 of them shared" in figure.layout.meta["alt"]


def test_a_block_with_room_is_paler() -> None:
    trace = make_trace([(20, 4)])
    (mine,) = [part for part in plot_blocks(trace, 1).data if part.name == "request 1"]
    assert mine.marker.opacity[0] == 1.0
    assert mine.marker.opacity[1] < 1.0


def test_a_step_that_is_not_there_is_told() -> None:
    trace = make_trace([(20, 4)])
    with pytest.raises(UsageError, match="no step 99"):
        plot_blocks(trace, 99)
    with pytest.raises(UsageError, match="empty"):
        plot_blocks([])


def test_waste_is_the_share_of_places_without_a_token() -> None:
    trace = make_trace([(20, 3)])
    empty, padding = plot_waste({"continuous": trace}).data
    assert list(empty.y) == pytest.approx([12 / 32, 11 / 32, 10 / 32])
    assert list(padding.y) == [0, 0, 0]


def test_static_batching_wastes_more_of_both() -> None:
    lengths = [(8, 2), (8, 30), (40, 2), (8, 30)]
    traces = {name: make_trace(lengths, static=name == "static", seats=2) for name in ("continuous", "static")}
    data = plot_waste(traces).data
    assert [part.name for part in data] == ["continuous", "continuous", "static", "static"]
    for row in (0, 1):
        assert max(data[2 + row].y) > max(data[row].y)
