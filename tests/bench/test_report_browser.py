"""The report in a real browser: figures drawn, nothing loaded, nothing too wide."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from helpers.bench.bundle import load_bundle, save_bundle
from helpers.bench.report import write_report
from helpers.bench.report_sections import build_report
from tests.bench.samples import make_run

pytestmark = pytest.mark.browser

QUIET = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    runs = [make_run(precision=p, concurrency=c, repeats=3) for p in ("f32", "q8_0") for c in (1, 4)]
    save_bundle(folder / "bundle", "sweep", runs)
    bundle = folder / "bundle"
    return write_report(build_report([(bundle, load_bundle(bundle))]), folder / "out")[0]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api")
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("needs Chromium")
    with playwright.sync_playwright() as running:
        opened = running.chromium.launch(executable_path=program, args=list(QUIET))
        yield opened
        opened.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1280])
def test_the_page_draws_itself_offline(browser: Any, page_file: Path, scheme: str, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    asked: list[str] = []
    errors: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.goto(page_file.as_uri())
    places = page.locator(".plot")
    page.wait_for_function("n => document.querySelectorAll('.plot.js-plotly-plot').length === n", arg=places.count())
    assert errors == []
    assert asked == [page_file.as_uri()]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    ink = page.evaluate("getComputedStyle(document.body).color")
    assert (ink == "rgb(230, 233, 236)") == (scheme == "dark")
    page.close()
