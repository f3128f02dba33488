"""Is there a place? A bounded number of requests run, a bounded number wait, the rest are told when to return."""

import asyncio
from collections import deque
from math import ceil

from helpers.api.refusal import Refused


class WaitingQueue:
    """Places for running requests, first come, first served."""

    def __init__(self, places: int, max_waiting: int, max_waiting_s: float) -> None:
        self.places = places
        self.max_waiting = max_waiting
        self.max_waiting_s = max_waiting_s
        self.in_flight = 0
        self.mean_held_s = 1.0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    async def enter(self) -> None:
        """Take a place, now or when one becomes free.

        Raises:
            Refused: 429: too many wait already, or waiting took too long.
        """
        if self.in_flight < self.places:
            self.in_flight += 1
            return
        if self.waiting >= self.max_waiting:
            raise self._refusal("Too many requests are waiting.")
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        entered = False
        try:
            async with asyncio.timeout(self.max_waiting_s):
                await place
            entered = True
        except TimeoutError:
            raise self._refusal(f"No place became free within {self.max_waiting_s:g} s.") from None
        finally:
            if not entered and place in self._waiting:
                self._waiting.remove(place)
            elif not entered and not place.cancelled():
                self._pass_on()  # the place came at the very moment when the request ended

    def leave(self, held_s: float) -> None:
        """Give a place back; the one who waits longest gets it."""
        self.mean_held_s += 0.1 * (held_s - self.mean_held_s)
        self._pass_on()

    def _pass_on(self) -> None:
        while self._waiting:
            place = self._waiting.popleft()
            if not place.done():
                place.set_result(None)
                return
        self.in_flight -= 1

    def _refusal(self, why: str) -> Refused:
        wait_s = (self.waiting + 1) * self.mean_held_s / self.places
        return Refused(429, "queue_full", why, max(1, min(60, ceil(wait_s))))
