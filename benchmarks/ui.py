"""Is the chat page quick? First paint, tokens on the screen, frames, long conversations, twenty chats at once.

    python benchmarks/ui.py [--quick]

Some three minutes; needs Chromium. The engine is the mock server, whose own record is the truth: a token's lag is from
its write there to the frame in which the page shows it. Figures go to results/ui.json and README.md; --quick measures
less and keeps nothing. Exit code 1 if a goal is missed.
"""

import argparse
import asyncio
import contextlib
import os
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
from chat_tabs import ChatTab
from sitting import circumstances, keep, markdown_table

from helpers.api.process import GatewayProcess
from helpers.client.mock import MockServer
from helpers.client.mock_words import word
from helpers.course.browser import open_browser
from helpers.ui.records import Conversation, Message
from helpers.ui.store import Store

TOKENS, GAP_S, TTFT_S = 800, 0.005, 0.1
"""Of a streamed answer: 200 tokens/s for four seconds."""

HISTORY = 2_000
CHATS, TURNS = 20, 3
LIMIT_MS = 120_000
POLL_MS = 100
"""A page behind others draws no frames, so that its frames cannot be waited for."""

GOALS = {
    "first paint, s": 1.0,
    "page, MB": 1.5,
    "lag p99, ms": 150.0,
    "lag p99 with a long history, ms": 150.0,
    "frame p95, ms": 50.0,
    "frame p95 with a long history, ms": 50.0,
    "added TTFT p50 of chats at once, ms": 50.0,
}
"""Each is a most."""

WATCH = """() => {
  const seen = (window.seen = []), frames = (window.frames = []);
  let last = 0, length = 0;
  const look = (now) => {
    const latest = [...document.querySelectorAll(".message.assistant")].pop();
    const fresh = latest && latest.dataset.id !== window.idBefore;
    const text = fresh ? latest.querySelector(".words").textContent.trim() : "";
    if (window.watching && last) frames.push(now - last);
    last = now;
    if (window.watching && text.length !== length) {
      length = text.length;
      seen.push([performance.timeOrigin + now, length]);
    }
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}"""
"""Notes in each frame how much of the newest answer stands on the page, in wall-clock milliseconds."""

SEND = """text => {
  window.watching = true;
  // By its number, not by their count: a long conversation shows only its end.
  const latest = () => [...document.querySelectorAll(".message.assistant")].pop();
  const before = (window.idBefore = latest()?.dataset.id);
  courseUi.put(text);
  window.sentAt = performance.timeOrigin + performance.now();
  new MutationObserver((_, observer) => {
    if (latest()?.dataset.id !== before && latest()?.querySelector(".words").textContent.trim()) {
      window.firstAt = performance.timeOrigin + performance.now();
      observer.disconnect();
    }
  }).observe(document.querySelector(".thread"), { subtree: true, childList: true, characterData: true });
  courseUi.send();
}"""
WHOLE = "() => window.firstAt && !document.querySelector('.message.writing')"
READY = "() => window.did_handshake === true && document.querySelector('textarea.composer-input')"


def open_page(browser: Any, url: str) -> Any:
    """A page in a profile of its own, ready to be typed into."""
    page = browser.new_context().new_page()
    page.set_default_timeout(LIMIT_MS)
    page.goto(url)
    page.wait_for_function(READY)
    return page


def measure_paint(browser: Any, url: str) -> tuple[float, float]:
    """Seconds to the first paint with content, and megabytes over the wire, with an empty cache."""
    page = browser.new_context().new_page()
    page.set_default_timeout(LIMIT_MS)
    sizes: list[int] = []

    def note(request: Any) -> None:
        sizes.append(request.sizes()["responseBodySize"])

    page.on("requestfinished", note)
    page.goto(url)
    page.wait_for_function(READY)
    page.wait_for_load_state("load")
    paint_ms = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    page.context.close()
    return paint_ms / 1000, sum(sizes) / 1e6


def measure_stream(browser: Any, url: str, mock: MockServer) -> tuple[list[float], list[float]]:
    """Lag of each token and time between frames while one answer streams, milliseconds."""
    mock.reset()
    page = open_page(browser, url)
    page.evaluate(WATCH)
    page.evaluate(SEND, "Write a lot.")
    page.wait_for_function(WHOLE, polling=POLL_MS)
    seen, frames = page.evaluate("[window.seen, window.frames]")
    page.context.close()
    epoch_s = time.time() - time.perf_counter()
    (request,) = mock.truth().requests
    lags, length, index = [], 0, 0
    for number, written_s in enumerate(request.writes_s):
        length += len(word(number))
        while index < len(seen) and seen[index][1] < length:
            index += 1
        if index == len(seen):
            break
        lags.append(seen[index][0] - (epoch_s + written_s) * 1000)
    assert len(lags) > 0.99 * len(request.writes_s), "the page did not show every token"
    return lags, frames


async def measure_chats(url: str, count: int) -> list[float]:
    """What is added to the engine's TTFT, milliseconds, while so many chats go on.

    Each chat asks again as soon as its answer is whole; they begin one after another within the time of an answer.
    """
    async with contextlib.AsyncExitStack() as stack:
        tabs = [await stack.enter_async_context(ChatTab(url, word(0))) for _ in range(count)]

        async def chat(number: int) -> list[float]:
            await asyncio.sleep(number / count * TOKENS * GAP_S)
            return [await tabs[number].say("Write something.") for _ in range(TURNS)]

        asked = await asyncio.wait_for(asyncio.gather(*map(chat, range(count))), LIMIT_MS / 1000)
    return [(seconds - TTFT_S) * 1000 for chat_s in asked for seconds in chat_s]


def add_history(database: str) -> str:
    """A conversation of `HISTORY` messages; its path."""
    store = Store(database)
    kept = store.add_conversation(Conversation("", "", "A long one", ("mock",)))
    texts = ("A question of some length, as people write them.", "**An answer** with a list:\n\n- one\n- two\n")
    roles = ("user", "assistant")
    store.add_messages([Message(0, kept.id, roles[n % 2], texts[n % 2], model="mock") for n in range(HISTORY)])
    store.close()
    return f"/c/{kept.id}"


def sit(quick: bool) -> dict[str, Any]:
    """Measure everything."""
    before, repeats, chats = circumstances(), 1 if quick else 5, 4 if quick else CHATS
    with tempfile.TemporaryDirectory() as folder:
        database = f"sqlite:///{folder}/gateway.sqlite"
        with (
            MockServer(ttft_s=TTFT_S, gap_s=GAP_S, output_tokens=TOKENS) as mock,
            GatewayProcess("--upstream", f"mock={mock.url}", "--no-keys", "--database", database, ui=True) as gateway,
        ):
            path = add_history(database)
            with open_browser() as browser:
                measure_paint(browser, gateway.root)  # the first visit of all builds what the server then keeps
                paints = [measure_paint(browser, gateway.root) for _ in range(repeats)]
                short = [measure_stream(browser, gateway.root, mock) for _ in range(repeats)]
                long = [measure_stream(browser, gateway.root + path, mock) for _ in range(repeats)]
            added = asyncio.run(measure_chats(gateway.root, chats))
    figures = {
        "first paint, s": median(paint for paint, _ in paints),
        "page, MB": median(size for _, size in paints),
        "lag p99, ms": median(np.percentile(lags, 99) for lags, _ in short),
        "lag p99 with a long history, ms": median(np.percentile(lags, 99) for lags, _ in long),
        "frame p95, ms": median(np.percentile(frames, 95) for _, frames in short),
        "frame p95 with a long history, ms": median(np.percentile(frames, 95) for _, frames in long),
        "added TTFT p50 of chats at once, ms": median(added),
    }
    load_after = round(os.getloadavg()[0], 1)
    figures = {name: float(value) for name, value in figures.items()}
    return {"circumstances": before, "load_average_after": load_after, "chats": chats, "figures": figures}


def render(result: dict[str, Any]) -> str:
    """The table in Markdown."""
    circumstance = result["circumstances"]
    rows = [
        [name, f"<= {most:g}", f"{result['figures'][name]:.2f}", "yes" if result["figures"][name] <= most else "no"]
        for name, most in GOALS.items()
    ]
    return (
        f"Measured {circumstance['date'][:16].replace('T', ' ')} UTC on {circumstance['processor']} "
        f"({circumstance['cores']} cores), Chromium without a GPU on the same cores, loopback only; load average "
        f"{circumstance['load_average']} before and {result['load_average_after']} after. Engine: mock, 200 tokens/s. "
        f"Medians of repeats; the long history has {HISTORY:,} messages; {result['chats']} chats at once, each asking "
        f"{TURNS} times in a tab that is its WebSocket alone, without a browser.\n\n"
        + markdown_table(("figure", "wanted", "measured", "holds"), rows)
    )


def main() -> int:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="less of it; nothing is kept")
    arguments = parser.parse_args()
    result = sit(arguments.quick)
    print(render(result))
    if not arguments.quick:
        keep("ui", result, render)
    return 0 if all(result["figures"][name] <= most for name, most in GOALS.items()) else 1


if __name__ == "__main__":
    sys.exit(main())
