"""One event loop in a thread of its own, so that plain calls work where a loop already runs, as in Jupyter."""

import asyncio
import functools
import logging
import os
import threading
from collections.abc import AsyncGenerator, Coroutine, Iterator
from concurrent.futures import Future
from typing import Any, TypeVar

from helpers.client.loop import new_event_loop

Result = TypeVar("Result")

CANCEL_LIMIT_S = 2.0


@functools.cache
def _loop(process: int) -> asyncio.AbstractEventLoop:
    """The loop of this process; a forked copy has no thread running it, and makes its own."""
    loop = new_event_loop()
    threading.Thread(target=loop.run_forever, name="course-requests", daemon=True).start()
    return loop


def run(coroutine: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine on the private loop and wait for it; an interrupt here cancels it there."""
    ended = threading.Event()

    async def body() -> Result:
        try:
            return await coroutine
        finally:
            ended.set()

    future = asyncio.run_coroutine_threadsafe(body(), _loop(os.getpid()))
    try:
        return future.result()
    except BaseException:
        future.cancel()
        # A cancelled future says nothing of its task, which must have let go of what it uses before anyone else does.
        ended.wait(CANCEL_LIMIT_S)
        raise


def start(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine on the private loop without waiting; what it raises goes to the log of `helpers`."""

    def tell(future: "Future[None]") -> None:
        if not future.cancelled() and (error := future.exception()) is not None:
            logging.getLogger("helpers").error("in the background: %s", error, exc_info=error)

    asyncio.run_coroutine_threadsafe(coroutine, _loop(os.getpid())).add_done_callback(tell)


def iterate(items: AsyncGenerator[Result, None]) -> Iterator[Result]:
    """Iterate an asynchronous generator from plain code; leaving the loop early closes it."""

    async def step() -> Result | None:
        return await anext(items, None)

    async def close() -> None:
        await items.aclose()

    try:
        while (item := run(step())) is not None:
            yield item
    finally:
        run(close())
