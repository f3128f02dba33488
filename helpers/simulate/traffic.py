"""Who asks when, on the virtual clock: streams and users that wait for their answers, or times that do not care."""

import heapq
import random
from collections.abc import Sequence
from typing import Protocol


class Traffic(Protocol):
    """Requests in the order of their times."""

    def next_s(self) -> float | None:
        """When the next request is sent; None if none is known (an answer that ends may bring one)."""

    def take(self) -> float:
        """Take the next request; its time."""

    def ended(self, now_s: float) -> None:
        """An answer has ended."""


class Users:
    """People who read an answer before they ask again; with no time to think they are a closed loop's streams.

    Args:
        count: of them.
        requests: of all of them together.
        think_s: mean of the exponential time between an answer's end and the next question; first questions are spread
            over that time, too.
        seed: same seed, same times.
    """

    def __init__(self, count: int, requests: int, think_s: float = 0.0, seed: int = 0) -> None:
        self._draw = random.Random(seed)
        self._think_s = think_s
        self._left = requests
        starts = min(count, requests)
        self._times = sorted(self._draw.random() * think_s if think_s else 0.0 for _ in range(starts))
        self._left -= starts

    def next_s(self) -> float | None:
        """When the next request is sent."""
        return self._times[0] if self._times else None

    def take(self) -> float:
        """Take the next request; its time."""
        return heapq.heappop(self._times)

    def ended(self, now_s: float) -> None:
        """The one whose answer ended asks again, after a while."""
        if self._left > 0:
            self._left -= 1
            pause_s = self._draw.expovariate(1 / self._think_s) if self._think_s else 0.0
            heapq.heappush(self._times, now_s + pause_s)


class Timetable:
    """Requests at given times, whatever the server does."""

    def __init__(self, times_s: Sequence[float]) -> None:
        self._times = times_s
        self._at = 0

    def next_s(self) -> float | None:
        """When the next request is sent."""
        return self._times[self._at] if self._at < len(self._times) else None

    def take(self) -> float:
        """Take the next request; its time."""
        self._at += 1
        return self._times[self._at - 1]

    def ended(self, now_s: float) -> None:
        """Nobody waits for it."""
