"""The engine's thread: it steps while there is work and sleeps while there is none.

The engine is not safe for two threads at once. Whatever the event loop wants of it is an order, done between two steps;
what a step yields goes to the event loop in one call.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from typing import TypeVar

from helpers.nano.engine import Engine, Output

Result = TypeVar("Result")

END_LIMIT_S = 5.0
"""How long the last step may take when the server ends."""


class EngineThread:
    """Runs an engine beside an event loop.

    Args:
        engine: nobody else's from now on.
        loop: where the following are called.
        deliver: with the outputs of a step and the number of tokens that it computed.
        crashed: with the error that ended the engine; nothing comes any more.
    """

    def __init__(
        self,
        engine: Engine,
        loop: asyncio.AbstractEventLoop,
        deliver: Callable[[list[Output], int], None],
        crashed: Callable[[Exception], None],
    ) -> None:
        self._engine = engine
        self._loop = loop
        self._deliver = deliver
        self._crashed = crashed
        self._orders: deque[Callable[[], None]] = deque()
        self._wake = threading.Event()
        self._ending = False
        self._thread = threading.Thread(target=self._run, name="nano-engine", daemon=True)
        self._thread.start()

    def order(self, action: Callable[[Engine], Result]) -> asyncio.Future[Result]:
        """Have something done with the engine before its next step; its result or its error comes in the future."""
        future: asyncio.Future[Result] = self._loop.create_future()

        def carry_out() -> None:
            try:
                result = action(self._engine)
            except Exception as error:  # noqa: BLE001 - whoever ordered it is told
                self._call(_settle, future, None, error)
            else:
                self._call(_settle, future, result, None)

        self._orders.append(carry_out)
        self._wake.set()
        return future

    def end(self) -> None:
        """Stop stepping; the step under way is finished first."""
        self._ending = True
        self._wake.set()
        self._thread.join(END_LIMIT_S)

    def _run(self) -> None:
        try:
            while not self._ending:
                self._wake.clear()
                while self._orders:
                    self._orders.popleft()()
                if not self._engine.has_work:
                    self._wake.wait()
                    continue
                before = self._engine.counters.computed_tokens
                outputs = self._engine.step()
                self._call(self._deliver, outputs, self._engine.counters.computed_tokens - before)
        except Exception as error:  # noqa: BLE001 - the server ends with it
            self._call(self._crashed, error)

    def _call(self, action: Callable[..., None], *arguments: object) -> None:
        if not self._ending:  # the loop may be closed by then
            self._loop.call_soon_threadsafe(action, *arguments)


def _settle(future: "asyncio.Future[Result]", result: Result, error: Exception | None) -> None:
    if future.cancelled():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)
