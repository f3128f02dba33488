"""A gateway with its chat page, engines behind it, and a browser in front of it."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from helpers.api.process import GatewayProcess
from helpers.ui.records import Conversation, Message
from helpers.ui.store import Store
from tests.api.upstreams import Upstream, upstream
from tests.ui.engines import FakeOllama, answer_as_told

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)
STEP_LIMIT_MS = 60_000
"""For one step in the browser; only a machine that is very busy comes near it."""

EXTENSION = """
def register(ui):
    @ui.message_action("Count words", icon="pin")
    def count_words(message):
        return f"**{len(message.text.split())}** words <script>alert(1)</script>"

    @ui.message_action("Break", icon="bolt")
    async def broken(message):
        raise ValueError("on purpose")

    @ui.command("shout", "in capitals")
    def shout(argument):
        return argument.upper()

    @ui.panel("Notes")
    def notes():
        from nicegui import ui
        ui.label("A panel's own label")
"""


@dataclass
class Front:
    """The gateway, and what is behind it."""

    url: str
    database: str
    engine: Upstream
    ollama: FakeOllama
    ollama_server: Upstream

    def asked(self) -> dict[str, Any]:
        """The fields of the last request to the engine."""
        return self.engine.sent[-1].fields

    def converse(self, messages: int) -> str:
        """Put a conversation into the database; returns its path."""
        store = Store(self.database)
        kept = store.add_conversation(Conversation("", "", f"With {messages} messages", ("told",)))
        roles = ("user", "assistant")
        store.add_messages(
            [
                Message(0, kept.id, roles[number % 2], f"Message number {number}.", model="told")
                for number in range(messages)
            ]
        )
        store.close()
        return f"/c/{kept.id}"


@pytest.fixture(scope="session")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    folder = tmp_path_factory.mktemp("ui")
    database = f"sqlite:///{folder / 'gateway.sqlite'}"
    extension = folder / "extension.py"
    extension.write_text(EXTENSION)
    ollama = FakeOllama()
    with (
        upstream(answer_as_told, "told", "second") as engine,
        upstream(ollama.handle, "qwen3:8b", "ollama") as behind,
        GatewayProcess(
            *("--upstream", f"engine={engine.url}", "--upstream", f"ollama={behind.url}"),
            *("--database", database, "--no-keys", "--extension", str(extension)),
            ui=True,
        ) as gateway,
    ):
        yield Front(gateway.root, database, engine, ollama, behind)


@pytest.fixture(scope="module")  # no longer: while it runs, its thread counts as one with an event loop
def chromium() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api")
    if not Path(CHROMIUM).exists():
        pytest.skip(f"needs Chromium at {CHROMIUM} (or the path in CHROMIUM)")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS.split())
        yield browser
        browser.close()


@dataclass
class Tab:
    """A page, and what it did that it should not."""

    page: Any
    problems: list[str]
    hosts: set[str]


@pytest.fixture(autouse=True, scope="session")
def patience() -> None:
    """What a test expects of a page may take as long as a step."""
    expect.set_options(timeout=STEP_LIMIT_MS)


def open_tab(context: Any) -> Tab:
    from urllib.parse import urlsplit

    page = context.new_page()
    page.set_default_timeout(STEP_LIMIT_MS)
    tab = Tab(page, [], set())
    page.on("pageerror", lambda error: tab.problems.append(f"error: {error}"))
    page.on("dialog", lambda dialog: (tab.problems.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    page.on("request", lambda request: tab.hosts.add(urlsplit(request.url).netloc))
    return tab


@pytest.fixture
def context(chromium: Any) -> Iterator[Any]:
    opened = chromium.new_context(viewport={"width": 1280, "height": 800}, accept_downloads=True)
    yield opened
    opened.close()


@pytest.fixture
def page(context: Any, front: Front) -> Iterator[Any]:
    """The chat page in a new profile; whatever happens, no script may run amok and nothing comes from elsewhere."""
    tab = open_tab(context)
    tab.page.goto(front.url)
    ready(tab.page)
    yield tab.page
    assert tab.problems == []
    assert tab.hosts <= {front.url.removeprefix("http://"), ""}


def ready(page: Any) -> None:
    """Wait until the page takes what is typed."""
    page.wait_for_selector("textarea.composer-input")
    page.wait_for_function("window.did_handshake === true")


def say(page: Any, text: str) -> None:
    """Type and send."""
    page.fill("textarea.composer-input", text)
    page.keyboard.press("Enter")


def answered(page: Any, count: int = 1) -> Any:
    """Wait until so many answers are whole; returns the last."""
    page.wait_for_function(
        "count => document.querySelectorAll('.message.assistant').length === count"
        " && !document.querySelector('.message.writing')",
        arg=count,
    )
    return page.locator(".message.assistant").last
