"""A tour of a chat page in a headless browser: what the page does, as a user would see it, written down.

    record = helpers.tour(gateway.root, feature="Speed")

The engine behind the page should be the mock server, whose words and times are known: then whoever judges the record
compares what was seen with what the engine did. The page may be any: `Selectors` says where its parts are.
"""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import monotonic, sleep
from typing import Any
from urllib.parse import urlsplit

from helpers.course.browser import open_browser

STEP_LIMIT_MS = 120_000
"""For one step; only a machine that is very busy comes near it."""

SAMPLE_EVERY_S = 0.05
STOP_ATTEMPTS = 3
"""On a busy machine an answer may have ended before the browser has seen its first word."""

QUIET_S, LONG_QUIET_S = 1.5, 8.0
"""An answer that has not grown for so long has ended: when nothing can be stopped any more, and in any case."""

PHONE = {"width": 375, "height": 667}
TRAP = "<img src=x onerror=alert('trap')><script>alert('trap')</script>"
QUESTION = "What is a KV cache?"


@dataclass(frozen=True, slots=True)
class Selectors:
    """Where the parts of a chat page are, as CSS selectors; the defaults are those of the course's own page.

    Attributes:
        field: the text field; Enter in it sends, unless `send` names a button.
        answers: the words of every answer.
        stop: the button that stops an answer.
    """

    field: str = "textarea.composer-input"
    send: str = ""
    answers: str = ".message.assistant .words"
    stop: str = ".stop"


def tour(url: str, feature: str = "", selectors: Selectors | None = None) -> dict[str, Any]:
    """Ask, watch the answer grow, stop one, reload, set a trap, use a feature, look at it on a phone.

    Args:
        url: the page's.
        feature: the name of a button under the answer that the page has beyond the usual; empty for none.

    Returns:
        JSON: `asked` {question, answer, samples: [[seconds, characters]]}, `reloaded` and `phone_width` (of the
        document, CSS pixels), `feature` {name, before, after} (all text of the page), `stopped` {at_stop, later}
        (characters), `trapped` (dialogs that opened), `hosts` other than the page's own, `paint_s`, `bytes`.

    Raises:
        MissingError: there is no browser.
    """
    # Playwright's plain interface refuses to run in a thread with an event loop, and a notebook's has one.
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(_tour, url, feature, selectors or Selectors()).result()


def _tour(url: str, feature: str, selectors: Selectors) -> dict[str, Any]:
    with open_browser() as browser:
        context = browser.new_context()
        page = context.new_page()
        page.set_default_timeout(STEP_LIMIT_MS)
        dialogs: list[str] = []
        hosts: set[str] = set()
        sizes: list[int] = []

        def refuse(dialog: Any) -> None:
            dialogs.append(dialog.message)
            dialog.dismiss()

        page.on("dialog", refuse)
        page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
        page.on("requestfinished", lambda request: sizes.append(request.sizes()["responseBodySize"]))
        visit = _Visit(page, selectors)
        page.goto(url)
        visit.wait_until_ready()
        record: dict[str, Any] = {"url": url, "bytes": sum(sizes), "paint_s": visit.paint_s()}
        record["asked"] = visit.ask(QUESTION)
        record["feature"] = visit.use_feature(feature) if feature else None
        page.reload()
        visit.wait_until_ready()
        page.wait_for_selector(selectors.answers)
        record["reloaded"] = visit.last_answer()
        visit.send(f"Answer this: {TRAP}")
        visit.watch(lambda _: None)
        record["trapped"] = list(dialogs)
        record["stopped"] = visit.stop_one()
        page.set_viewport_size(PHONE)
        page.reload()
        visit.wait_until_ready()
        page.wait_for_selector(selectors.answers)
        record["phone_width"] = page.evaluate("document.documentElement.scrollWidth")
        record["hosts"] = sorted(hosts - {urlsplit(url).netloc, ""})
        context.close()
        return record


class _Visit:
    """One page with its parts."""

    def __init__(self, page: Any, selectors: Selectors) -> None:
        self._page = page
        self._selectors = selectors

    def wait_until_ready(self) -> None:
        self._page.wait_for_selector(self._selectors.field, state="visible")
        self._page.wait_for_load_state("load")
        # NiceGUI's pages take input only after their handshake; other pages have no such word.
        self._page.wait_for_function("window.did_handshake === undefined || window.did_handshake === true")

    def paint_s(self) -> float | None:
        """Seconds from the navigation to the first paint with content."""
        entries = self._page.evaluate("performance.getEntriesByName('first-contentful-paint').map(e => e.startTime)")
        return entries[0] / 1000 if entries else None

    def answers(self) -> int:
        return int(self._page.locator(self._selectors.answers).count())

    def last_answer(self) -> str:
        found = self._page.locator(self._selectors.answers)
        return " ".join(found.last.inner_text().split()) if found.count() else ""

    def send(self, text: str) -> None:
        self._known = self.answers()
        self._page.fill(self._selectors.field, text)
        if self._selectors.send:
            self._page.click(self._selectors.send)
        else:
            self._page.press(self._selectors.field, "Enter")

    def ask(self, question: str) -> dict[str, Any]:
        self.send(question)
        began_s = monotonic()
        samples: list[tuple[float, int]] = []
        self.watch(lambda length: samples.append((monotonic() - began_s, length)))
        return {"question": question, "answer": self.last_answer(), "samples": samples}

    def watch(self, note: Callable[[int], None], enough: int = 0) -> None:
        """Tell `note` the length of the new answer each time it has grown, until it grows no more or is long enough."""
        length, changed_s, limit_s = 0, monotonic(), monotonic() + STEP_LIMIT_MS / 1000
        while monotonic() < limit_s:
            now = len(self.last_answer()) if self.answers() > self._known else 0
            if now != length:
                length, changed_s = now, monotonic()
                note(length)
            quiet_s = monotonic() - changed_s
            # A busy machine may pause; while the page still offers to stop, it gets longer.
            ended = quiet_s > QUIET_S and (quiet_s > LONG_QUIET_S or not self._page.is_visible(self._selectors.stop))
            if length and (ended or (enough and length >= enough)):
                return
            sleep(SAMPLE_EVERY_S)

    def stop_one(self) -> dict[str, int]:
        for _ in range(STOP_ATTEMPTS):
            self.send("Tell me more.")
            self.watch(lambda _: None, enough=1)
            if self._page.is_visible(self._selectors.stop):
                self._page.eval_on_selector(self._selectors.stop, "button => button.click()")
                break
        self.watch(lambda _: None)
        at_stop = len(self.last_answer())
        sleep(QUIET_S)
        return {"at_stop": at_stop, "later": len(self.last_answer())}

    def use_feature(self, name: str) -> dict[str, str]:
        before = self._text()
        self._page.get_by_role("button", name=name, exact=True).last.click()
        limit_s = monotonic() + STEP_LIMIT_MS / 1000
        while (after := self._text()) == before and monotonic() < limit_s:
            sleep(SAMPLE_EVERY_S)
        return {"name": name, "before": before, "after": after}

    def _text(self) -> str:
        return re.sub(r"\s+", " ", self._page.inner_text("body"))
