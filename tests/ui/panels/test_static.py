"""Panels where nobody sits in front of the notebook: run by nbclient as papermill does, and read as a web page."""

import warnings
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from nbconvert import HTMLExporter

from helpers.course.execution import kernel_environment
from helpers.ui.panels import panel
from helpers.ui.panels.panel import WIDGET, is_attended
from helpers.ui.panels.steps import StepExplorer
from tests.bench.traces import make_trace

CELLS = [
    "import helpers\nfrom helpers.nano.engine import load_engine\n"
    "engine = load_engine('course', max_num_seqs=2)\n"
    "laps = helpers.race({'one': engine}, helpers.mixed_load(3, seed=1))\n"
    "mock = helpers.MockServer(output_tokens=4)\nmock.start()\n"
    "load = helpers.given_prompts(['Anything.'], output_tokens=4)\n"
    "servers = {name: helpers.attach(mock.url) for name in ('left', 'right')}",
    "helpers.ui.StepExplorer(engine.trace.records)",
    "helpers.ui.AcceptanceView('Count from 1 to 4.', max_tokens=12)",
    "run = await helpers.ui.measure_live(mock, load, helpers.ClosedLoop(2), 6)",
    "helpers.ui.SideBySide(servers, 'Anything?')",
    "helpers.ui.EnginePanel()",
    "helpers.ui.CapacityPlanner()",
    "mock.stop()",
]
SAID = {
    1: "KV cache:",
    2: "proposed tokens kept",
    3: "6 of 6",
    4: "The same words from all of them.",
    5: "Engines of this machine",
    6: "simulated",
}


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> Any:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in CELLS])
    NotebookClient(
        notebook,
        timeout=120,
        kernel_name="python3",
        resources={"metadata": {"path": str(tmp_path_factory.mktemp("run"))}},
    ).execute(env=kernel_environment())
    return notebook


def test_every_panel_leaves_words_and_no_widget(executed: Any) -> None:
    for number, words in SAID.items():
        shown = executed.cells[number].outputs[0]["data"]
        assert words in shown["text/plain"], number
        assert "<" in shown["text/html"]
        assert WIDGET not in shown
    assert "widgets" not in executed.metadata


def test_as_a_web_page_it_can_be_read_without_a_script_and_without_the_network(executed: Any, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nbconvert warns of formats that it leaves out
        page, _ = HTMLExporter(template_name="basic").from_notebook_node(executed)
    for words in ("Who ran in steps", "</ins>", "requests ended", "The same words from all of them.", "256 seats"):
        assert words in page
    assert "<script" not in page.split("</style>")[-1]


def test_with_somebody_in_front_there_are_widgets_and_the_words_beside_them(monkeypatch: pytest.MonkeyPatch) -> None:
    bundles: list[dict[str, Any]] = []
    monkeypatch.setattr(panel, "emit", bundles.append)
    explorer = StepExplorer(make_trace([(16, 8)]))
    explorer._ipython_display_()
    monkeypatch.setattr(panel, "is_attended", lambda: True)
    explorer._ipython_display_()
    unattended, attended = bundles
    assert set(unattended) == {"text/html", "text/plain"}
    assert set(attended) == {WIDGET, "text/html", "text/plain"}
    assert attended[WIDGET]["model_id"] == explorer.widget.model_id


def test_plain_python_is_not_attended() -> None:
    assert not is_attended()
