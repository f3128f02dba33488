"""A headless Chromium for judging web pages; none is downloaded: what the machine has is used."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from helpers.errors import MissingError

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge")
MAC_CHROME = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)
NEEDS = "Chromium or Chrome, and the package playwright"


def find_browser() -> str:
    """The path of Chromium or of a relative of it; COURSE_BROWSER names another one.

    Raises:
        MissingError: there is none.
    """
    named = os.environ.get("COURSE_BROWSER", "")
    found = next(filter(None, map(shutil.which, filter(None, (named, *NAMES)))), None)
    if found is None and MAC_CHROME.exists():
        found = str(MAC_CHROME)
    if found is None:
        raise MissingError(
            "there is no Chromium or Chrome", "pages are judged in a browser", "install chromium, or set COURSE_BROWSER"
        )
    return found


@contextmanager
def open_browser() -> Iterator[Any]:
    """A browser for as long as the block lasts; not from a thread that runs an event loop.

    Raises:
        MissingError: the browser or playwright is missing.
    """
    path = find_browser()
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        raise MissingError(
            "the package playwright is missing", str(error), "rm -r .venv, then ./course doctor"
        ) from error
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()
