"""The course in a real JupyterLab: every lab opens unchanged, every panel works by mouse and keyboard, light and dark.

Screenshots are kept in the folder that pytest keeps of its last runs (`--basetemp` or /tmp/pytest-of-*), and in the one
that COURSE_SCREENSHOTS names.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from helpers.course.browser import open_browser
from helpers.course.catalogue import Entry
from helpers.errors import MissingError
from tests.clones import copy_course
from tests.notebooks.laboratory import Desk, Laboratory, serve, write_notebook

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1200)]

WANTED = os.environ.get("COURSE_SCREENSHOTS", "")
PANELS = [
    "import helpers\n"
    "from helpers.nano.engine import load_engine\n"
    "engine = load_engine('course', max_num_seqs=4, max_num_batched_tokens=96, num_blocks=96)\n"
    "laps = helpers.race({'one': engine}, helpers.mixed_load(10, seed=1, shared=tuple(range(20, 60))))",
    "helpers.StepExplorer(engine.trace.records)",
    "helpers.AcceptanceView('Tell me a short story.', temperature=1.0)",
    "mock = helpers.MockServer(ttft_s=0.05, gap_s=0.01, output_tokens=12)\n"
    "mock.start()\n"
    "load = helpers.given_prompts(['Anything.'], output_tokens=12)\n"
    "run = await helpers.measure_live(mock, load, helpers.ClosedLoop(4), 100_000)\n"
    "print('kept', len(run.records) > 0, run.complete)",
    "servers = {name: helpers.attach(mock.url) for name in ('left', 'right')}\n"
    "helpers.SideBySide(servers, 'What is a KV cache?')",
    "helpers.EnginePanel()",
    "helpers.CapacityPlanner('qwen3-8b')",
]


SHOWN_STEP = "+/KV cache in step (\\d+)/.exec(document.querySelector('.course-steps').innerText)[1]"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laboratory]:
    clone = copy_course(tmp_path_factory.mktemp("lab") / "course")
    (clone / "work").mkdir()
    write_notebook(clone / "work" / "panels.ipynb", PANELS)
    with serve(clone) as laboratory:
        yield laboratory


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    try:
        with open_browser() as opened:
            yield opened
    except MissingError as missing:
        pytest.skip(str(missing))


@pytest.fixture
def desk(browser: Any) -> Iterator[Desk]:
    context = browser.new_context(viewport={"width": 1280, "height": 1000})
    desk = Desk(context.new_page())
    yield desk
    context.close()
    assert desk.hosts <= {"127.0.0.1", ""}


@pytest.fixture(scope="module")
def keep(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Any, str], None]:
    """Keep a screenshot of a page or of a part of it."""
    folder = tmp_path_factory.mktemp("screenshots")

    def take(what: Any, name: str) -> None:
        path = folder / f"{name}.png"
        what.screenshot(path=path)
        if WANTED:
            Path(WANTED).mkdir(parents=True, exist_ok=True)
            shutil.copy(path, Path(WANTED) / path.name)

    return take


def serious_findings(page: Any, selector: str) -> list[str]:
    """What axe-core finds in our own part of the panels; sliders and buttons are those of ipywidgets."""
    axe = pytest.importorskip("axe_core_python.sync_playwright")
    found = axe.Axe().run(page, context=selector)["violations"]
    return [
        f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in found if one["impact"] in ("serious", "critical")
    ]


def test_every_lab_opens_unchanged_and_runs_up_to_its_first_exercise(
    lab: Laboratory, desk: Desk, entry: Entry, keep: Callable[[Any, str], None]
) -> None:
    desk.open(lab.address(f"{entry.stem}.ipynb"))
    desk.page.wait_for_selector(".jp-RenderedMarkdown h1")
    keep(desk.page, f"lab-{entry.stem}")
    assert not desk.changed
    desk.run_all()
    # The three lines of an error of the course stand where a traceback would.
    said = desk.page.locator(".jp-OutputArea-output", has_text="ExerciseTodo").first
    said.wait_for(state="attached")
    assert "Traceback" not in said.inner_text()
    desk.wait_idle()
    said.scroll_into_view_if_needed()
    said.wait_for(state="visible")
    keep(desk.page, f"lab-{entry.stem}-run")
    assert desk.problems == []


def test_panels_work_by_mouse_and_by_keyboard(lab: Laboratory, desk: Desk, keep: Callable[[Any, str], None]) -> None:
    desk.open(lab.address("panels.ipynb"))
    page = desk.page
    desk.run_all()

    live = page.locator(".course-live")
    live.scroll_into_view_if_needed()
    page.wait_for_selector(".course-live >> text=TTFT of the newest requests")
    page.wait_for_function("document.querySelector('.course-live [role=img]').children.length > 20")
    keep(live, "live")
    stop = live.locator("button")
    stop.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("text=kept True False")
    # What is outside the window JupyterLab does not draw.
    page.wait_for_selector(".course-planner", state="attached")
    desk.wait_idle()
    page.wait_for_selector(".jp-OutputArea .js-plotly-plot .scatterlayer .point >> nth=0", state="attached")

    steps = page.locator(".course-steps")
    steps.scroll_into_view_if_needed()
    number = steps.locator(".widget-readout")
    before = int(number.inner_text())
    steps.locator(".noUi-handle").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_selector(f".course-steps >> text=KV cache in step {before + 1}")
    steps.locator("button").first.click()
    # On a busy machine the page jumps over steps.
    page.wait_for_function(f"({SHOWN_STEP}) >= {before + 3}")
    steps.locator("button").first.click()
    keep(steps, "steps")

    acceptance = page.locator(".course-acceptance")
    acceptance.scroll_into_view_if_needed()
    acceptance.locator("input[type=text]").first.fill("Count from 1 to 20.")
    acceptance.locator("select").select_option(label="n-gram look-up")
    acceptance.get_by_role("button", name="Ask").click()
    page.wait_for_selector(".course-acceptance >> text=n-gram look-up, 4 proposed")
    assert acceptance.locator("ins").count()
    assert acceptance.locator("del").count()
    keep(acceptance, "acceptance")

    chat = page.locator(".course-chat")
    chat.scroll_into_view_if_needed()
    chat.locator("input[type=text]").fill("Again?")
    page.keyboard.press("Enter")
    page.wait_for_selector(".course-chat >> text=The same words from all of them.")
    keep(chat, "chat")

    engines = page.locator(".course-engines")
    engines.scroll_into_view_if_needed()
    engines.get_by_role("button", name="Start").click()
    page.wait_for_selector(".course-engines >> text=running, stays")
    engines.get_by_role("button", name="Log").click()
    page.wait_for_selector(".course-engines >> text=log of llama.cpp")
    keep(engines, "engines")
    engines.get_by_role("button", name="Stop").first.click()
    page.wait_for_selector(".course-engines >> text=llama.cpp has ended")

    planner = page.locator(".course-planner")
    planner.scroll_into_view_if_needed()
    planner.locator(".noUi-handle").first.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_selector(".course-planner >> text=1,024 tokens in")
    keep(planner, "planner")

    desk.change_theme("JupyterLab Dark")
    for name in ("steps", "acceptance", "live", "chat", "engines", "planner"):
        panel = page.locator(f".course-{name}")
        panel.scroll_into_view_if_needed()
        keep(panel, f"{name}-dark")
        assert serious_findings(page, f".course-{name} .widget-html-content") == []
    assert desk.problems == []
