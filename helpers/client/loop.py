"""Event loops: the fastest there is, and one in a thread of its own for callers that already have one (Jupyter)."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

Result = TypeVar("Result")

TICK_S = 0.2
"""How often a waiting caller gets the turn to show progress."""

STOP_LIMIT_S = 10.0
"""How long a cancelled coroutine may take to wind down before the caller stops waiting for it."""


def new_event_loop() -> asyncio.AbstractEventLoop:
    """uvloop's where it is installed, else asyncio's."""
    try:
        import uvloop
    except ImportError:  # Windows has no uvloop
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


def run_apart(start: Callable[[], Coroutine[Any, Any, Result]], on_tick: Callable[[], None] = lambda: None) -> Result:
    """Run a coroutine to its end in a new thread with a new event loop, while the caller waits.

    Args:
        start: makes the coroutine, inside that thread.
        on_tick: called in the caller's thread several times a second, so that showing progress takes no time from
            the loop that measures.

    Raises:
        Whatever the coroutine raises. On KeyboardInterrupt (or an error in `on_tick`) in the waiting thread the
        coroutine is cancelled first and gets `STOP_LIMIT_S` to put away what it has.
    """
    result: Future[Result] = Future()
    started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Task[Result]]] = Future()

    async def body() -> Result:
        task = asyncio.current_task()
        assert task is not None
        started.set_result((asyncio.get_running_loop(), task))
        return await start()

    def work() -> None:
        try:
            with asyncio.Runner(loop_factory=new_event_loop) as runner:
                value = runner.run(body())
        except BaseException as error:  # noqa: BLE001 - handed to the waiting thread, which raises it
            result.set_exception(error)
        else:
            result.set_result(value)

    thread = threading.Thread(target=work, name="course-client", daemon=True)
    thread.start()
    try:
        while thread.is_alive():
            thread.join(TICK_S)
            on_tick()
    except BaseException:
        if not result.done():
            loop, task = started.result(STOP_LIMIT_S)
            loop.call_soon_threadsafe(task.cancel)
        thread.join(STOP_LIMIT_S)
        raise
    return result.result()
