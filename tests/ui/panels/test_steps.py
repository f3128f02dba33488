"""The step explorer: any step can be looked at, and what it shows is what the trace says."""

import re

import pytest

from helpers.errors import UsageError
from helpers.ui.panels.steps import MOST_ROWS, SHOWN_STEPS, StepExplorer
from tests.bench.traces import make_trace

LENGTHS = [(40, 20), (200, 30), (16, 8), (60, 40), (100, 30), (64, 12)]


@pytest.fixture
def explorer() -> StepExplorer:
    return StepExplorer(make_trace(LENGTHS, blocks=24, shared=16))


def test_every_step_is_shown_with_its_own_blocks_and_requests(explorer: StepExplorer) -> None:
    trace = make_trace(LENGTHS, blocks=24, shared=16)
    for record in trace:
        explorer.number = record.number
        html, owned = explorer.html(), {block for work in record.work for block in work.blocks}
        told = re.findall(r'title="block (\d+): (.+?)"', html)
        assert {int(block) for block, words in told if "kept" not in words} == owned
        assert f"step {record.number} of {trace[-1].number}" in html.lower()
        assert f"{record.used_blocks} of 24 blocks" in explorer.text()
        running = {f"request {int(work.request_id[1:]) + 1}<" for work in record.work}
        assert all(name in html for name in running)


def test_it_opens_where_the_cache_is_fullest(explorer: StepExplorer) -> None:
    trace = make_trace(LENGTHS, blocks=24, shared=16)
    assert explorer.number == max(trace, key=lambda record: record.used_blocks).number


def test_rows_and_steps_are_bounded() -> None:
    explorer = StepExplorer(make_trace([(16, 60)] * 40, seats=40, budget=512, blocks=512))
    explorer.number = 30
    rows = re.findall(r"<tr>.*?</tr>", explorer.html())
    timeline = [row for row in rows if ">request " in row]
    assert len(timeline) == MOST_ROWS
    for row in timeline:
        assert sum(map(int, re.findall(r'colspan="(\d+)"', row))) == SHOWN_STEPS
    assert "not shown: 24 that wait" in explorer.html()


def test_what_preemption_and_padding_cost_is_in_words_and_signs() -> None:
    tight = StepExplorer(make_trace(LENGTHS, blocks=16))
    preempted = next(record for record in make_trace(LENGTHS, blocks=16) if record.preempted)
    tight.number = preempted.number
    assert "preempted" in tight.text()
    assert ">!</td>" in tight.html()
    static = StepExplorer(make_trace(LENGTHS, static=True))
    assert ">x</td>" in static.html()


def test_steps_that_are_not_there_are_refused(explorer: StepExplorer) -> None:
    with pytest.raises(UsageError, match="no step 999"):
        explorer.number = 999
    with pytest.raises(UsageError, match="empty"):
        StepExplorer([])


def test_the_slider_moves_what_is_shown(explorer: StepExplorer) -> None:
    widgets = explorer.widget
    (_, slider), shown = widgets.children[0].children, widgets.children[1]
    slider.value = 3
    assert explorer.number == 3
    assert shown.value == explorer.html()
