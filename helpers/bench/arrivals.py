"""Load shapes: when requests are sent.

A closed loop sends when an answer has ended, so a slow server is asked less. An open loop sends at its own times
whatever the server does, as users do; `times_s` says when, from the start of the load.
"""

import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate
from typing import Any

from helpers.errors import UsageError


def _require_positive(name: str, value: float) -> None:
    if not 0 < value < float("inf"):
        raise UsageError(f"{name} must be above 0, not {value!r}")


@dataclass(frozen=True, slots=True)
class ClosedLoop:
    """`concurrency` streams, each sending its next request when its last answer has ended.

    They begin a millisecond apart (`helpers/client/load.py` says why), or at once where each has one request only.
    """

    concurrency: int

    def __post_init__(self) -> None:
        if not isinstance(self.concurrency, int) or self.concurrency < 1:
            raise UsageError(f"concurrency must be a whole number of at least 1, not {self.concurrency!r}")

    @property
    def label(self) -> str:
        """In words."""
        return f"{self.concurrency} stream{'s' if self.concurrency > 1 else ''}"


@dataclass(frozen=True, slots=True)
class ConstantRate:
    """Evenly spaced requests."""

    rate_per_s: float

    def __post_init__(self) -> None:
        _require_positive("rate_per_s", self.rate_per_s)

    @property
    def label(self) -> str:
        """In words."""
        return f"{self.rate_per_s:g} requests/s, evenly spaced"

    def times_s(self, requests: int, seed: int) -> list[float]:
        """When to send each request, from the start."""
        return [number / self.rate_per_s for number in range(requests)]


@dataclass(frozen=True, slots=True)
class Poisson:
    """Independent users: exponential gaps of mean 1 / rate."""

    rate_per_s: float

    def __post_init__(self) -> None:
        _require_positive("rate_per_s", self.rate_per_s)

    @property
    def label(self) -> str:
        """In words."""
        return f"{self.rate_per_s:g} requests/s, Poisson"

    def times_s(self, requests: int, seed: int) -> list[float]:
        """When to send each request, from the start; the same seed gives the same times."""
        draw = random.Random(seed)
        return list(accumulate(draw.expovariate(self.rate_per_s) for _ in range(requests)))


@dataclass(frozen=True, slots=True)
class Burst:
    """`size` requests at once, every `period_s`."""

    size: int
    period_s: float

    def __post_init__(self) -> None:
        if self.size < 1:
            raise UsageError(f"size must be at least 1, not {self.size!r}")
        _require_positive("period_s", self.period_s)

    @property
    def label(self) -> str:
        """In words."""
        return f"{self.size} at once every {self.period_s:g} s"

    def times_s(self, requests: int, seed: int) -> list[float]:
        """When to send each request, from the start."""
        return [number // self.size * self.period_s for number in range(requests)]


@dataclass(frozen=True, slots=True)
class Ramp:
    """A rate that rises (or falls) linearly over `duration_s` and then stays."""

    start_per_s: float
    end_per_s: float
    duration_s: float

    def __post_init__(self) -> None:
        for name in ("start_per_s", "end_per_s", "duration_s"):
            _require_positive(name, getattr(self, name))

    @property
    def label(self) -> str:
        """In words."""
        return f"{self.start_per_s:g} to {self.end_per_s:g} requests/s over {self.duration_s:g} s"

    def times_s(self, requests: int, seed: int) -> list[float]:
        """When to send each request, from the start.

        Request n goes out when the integral of the rate, start * t + slope * t^2 / 2, reaches n.
        """
        slope = (self.end_per_s - self.start_per_s) / self.duration_s
        in_ramp = (self.start_per_s + self.end_per_s) / 2 * self.duration_s
        return [
            # The root of the quadratic in the form that also holds for a slope of 0.
            2 * number / (self.start_per_s + (self.start_per_s**2 + 2 * slope * number) ** 0.5)
            if number <= in_ramp
            else self.duration_s + (number - in_ramp) / self.end_per_s
            for number in range(requests)
        ]


@dataclass(frozen=True, slots=True)
class Replay:
    """The times of a trace, in seconds; `speed` 2 plays it twice as fast."""

    trace_s: tuple[float, ...]
    speed: float = 1.0

    def __init__(self, trace_s: Sequence[float], speed: float = 1.0) -> None:
        _require_positive("speed", speed)
        if not trace_s or list(trace_s) != sorted(trace_s):
            raise UsageError("a trace needs at least one time, in ascending order")
        object.__setattr__(self, "trace_s", tuple(trace_s))
        object.__setattr__(self, "speed", speed)

    @property
    def label(self) -> str:
        """In words."""
        return f"trace of {len(self.trace_s)} requests at {self.speed:g}x"

    def times_s(self, requests: int, seed: int) -> list[float]:
        """When to send each request, from the start.

        Raises:
            UsageError: the trace has fewer requests.
        """
        if requests > len(self.trace_s):
            raise UsageError(f"the trace has {len(self.trace_s)} requests, not {requests}")
        return [(time_s - self.trace_s[0]) / self.speed for time_s in self.trace_s[:requests]]


OpenLoop = ConstantRate | Poisson | Burst | Ramp | Replay
Arrivals = ClosedLoop | OpenLoop

SHAPES: dict[str, type[Arrivals]] = {
    shape.__name__: shape for shape in (ClosedLoop, ConstantRate, Poisson, Burst, Ramp, Replay)
}


def to_json(arrivals: Arrivals) -> dict[str, Any]:
    """{"shape": name, its fields}; `from_json` is the inverse."""
    return {"shape": type(arrivals).__name__, **asdict(arrivals)}


def from_json(value: dict[str, Any]) -> Arrivals:
    """Rebuild a load shape.

    Raises:
        UsageError: an unknown shape.
    """
    options = dict(value)
    name = options.pop("shape", "")
    if name not in SHAPES:
        raise UsageError(f"there is no load shape {name!r}", f"the shapes are {', '.join(SHAPES)}")
    return SHAPES[name](**options)
