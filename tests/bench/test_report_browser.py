"""The report in a real browser: figures drawn, nothing loaded, nothing too wide, fit for everybody, on paper too.

Screenshots are kept in the folder that COURSE_SCREENSHOTS names.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from helpers.bench.bundle import load_bundle, save_bundle
from helpers.bench.report import write_report
from helpers.bench.report_changes import find_changes
from helpers.bench.report_sections import build_report
from helpers.course.browser import open_browser
from helpers.course.catalogue import find_tasks
from helpers.course.execution import Ending
from helpers.course.report import write_report as write_run_page
from helpers.course.run import RunResult, task_result
from helpers.errors import MissingError
from tests.bench.samples import make_run, provenance

pytestmark = pytest.mark.browser

WANTED = os.environ.get("COURSE_SCREENSHOTS", "")
SERIOUS = ("serious", "critical")


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    for name in ("before", "after"):
        tpot_s = 0.02 if name == "before" else 0.01
        runs = [
            make_run(precision=p, concurrency=c, repeats=5, tpot_s=tpot_s, error="HTTP 503" if c == 8 else "")
            for p in ("f32", "q8_0")
            for c in (1, 4, 8)
        ]
        save_bundle(folder / name, "sweep", runs)
    sides = [[(folder / name, load_bundle(folder / name))] for name in ("before", "after")]
    report = build_report([*sides[0], *sides[1]], changes=find_changes(*sides))
    return write_report(report, folder / "out")[0]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    try:
        with open_browser() as running:
            yield running
    except MissingError as error:
        pytest.skip(str(error))


def opened(browser: Any, page_file: Path, width: int, scheme: str) -> Any:
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.asked, page.errors = [], []
    page.on("request", lambda request: page.asked.append(request.url))
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.on("console", lambda message: page.errors.append(message.text) if message.type == "error" else None)
    page.goto(page_file.as_uri())
    count = page.locator(".plot").count()
    page.wait_for_function("n => document.querySelectorAll('.plot.js-plotly-plot').length === n", arg=count)
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1280])
def test_the_page_draws_itself_offline(browser: Any, page_file: Path, scheme: str, width: int) -> None:
    page = opened(browser, page_file, width, scheme)
    assert page.errors == []
    assert page.asked == [page_file.as_uri()]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    if WANTED:
        page.screenshot(path=Path(WANTED) / f"report-{width}-{scheme}.png", full_page=True)
    ink = page.evaluate("getComputedStyle(document.body).color")
    assert (ink == "rgb(230, 233, 236)") == (scheme == "dark")
    page.close()


@pytest.fixture(scope="module")
def run_page(page_file: Path) -> Path:
    """The page of a run that left a report and no evidence."""
    folder = page_file.parent.parent / "run"
    entry = find_tasks()[0]
    (folder / entry.stem).mkdir(parents=True)
    for name in ("report.html", "report.md"):
        (folder / entry.stem / name).write_bytes((page_file.parent / name).read_bytes())
    tasks = (task_result(entry, folder / entry.stem, Ending("ok", "", 61.0)),)
    options = {"engine": "", "model": "", "quick": True}
    return write_run_page(RunResult(folder, tasks, {**provenance(), "options": options}))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("which", ["page_file", "run_page"])
def test_no_serious_finding_of_axe(browser: Any, which: str, scheme: str, request: pytest.FixtureRequest) -> None:
    axe = pytest.importorskip("axe_core_python.sync_playwright")
    page = opened(browser, request.getfixturevalue(which), 1280, scheme)
    page.evaluate("document.querySelectorAll('details').forEach((part) => { part.open = true; })")
    findings = axe.Axe().run(page)["violations"]
    serious = [f"{one['id']}: {one['nodes'][0]['html'][:120]}" for one in findings if one["impact"] in SERIOUS]
    assert serious == []
    page.close()


def test_the_run_page_says_what_follows(browser: Any, run_page: Path) -> None:
    page = opened(browser, run_page, 400, "light")
    assert "Many users get the most text from" in page.inner_text("section")
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    page.locator("text=Report: report").click()
    page.wait_for_selector(".plot.js-plotly-plot")
    page.close()


def test_the_first_screen_holds_answer_and_facts(browser: Any, page_file: Path) -> None:
    page = opened(browser, page_file, 1280, "light")
    box = page.locator(".facts").bounding_box()
    assert box["y"] + box["height"] < 900
    page.close()


def test_it_prints_its_figures_and_folded_parts(browser: Any, page_file: Path, tmp_path: Path) -> None:
    page = opened(browser, page_file, 1280, "dark")
    paper = page.pdf(path=tmp_path / "report.pdf", format="A4")
    assert len(paper) > 100_000
    assert page.evaluate("[...document.querySelectorAll('details')].every((part) => part.open)")
    page.close()
