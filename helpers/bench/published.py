"""Figures that others published about DGX Spark, and what follows from them by arithmetic.

They are never mixed with measurements: each carries its source, and everything computed from them says so.
"""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from helpers.bench.roofline import StepCost
from helpers.errors import UsageError

FILE = Path(__file__).with_name("published.toml")


@dataclass(frozen=True, slots=True)
class Source:
    """Where a figure comes from; `date` is the source's own, or when it was read if it states none."""

    title: str
    where: str
    date: str


@dataclass(frozen=True, slots=True)
class PublishedFigure:
    """One published measurement on DGX Spark; rates in tokens a second, totals of all streams.

    Attributes:
        input_tokens, output_tokens: None where the source does not say.
        decode_context_tokens: where decoding was measured at another context than behind the prompt (llama-bench's tg).
        how: build, tool or mode, as far as stated.
        eager: without CUDA graphs.
        stock: a build without the kernels that this chip needs, by the source's own account.
        doubt: why not to lean on it; empty if there is no reason.
    """

    engine: str
    model: str
    precision: str
    batch: int
    source: Source
    input_tokens: int | None = None
    output_tokens: int | None = None
    prefill_tokens_per_s: float | None = None
    decode_tokens_per_s: float | None = None
    decode_context_tokens: int | None = None
    sparks: int = 1
    how: str = ""
    eager: bool = False
    stock: bool = False
    doubt: str = ""
    origin: str = "published"


@dataclass(frozen=True, slots=True)
class Device:
    """A device by its published limits; the rate is a (low, high) pair where no dense figure is published."""

    name: str
    source: Source
    bandwidth_bytes_per_s: float
    memory_bytes: float
    flops_per_s: dict[str, tuple[float, float]]


@dataclass(frozen=True, slots=True)
class ComputedStep:
    """The least time a step takes on a device, computed and not measured; a real engine takes longer.

    Attributes:
        bytes_s: bytes / published bandwidth.
        flops_s: FLOPs / rate, (with the high rate, with the low rate).
        origin: what to print beside the number.
    """

    device: str
    bytes_s: float
    flops_s: tuple[float, float]
    origin: str

    @property
    def bound(self) -> str:
        """ "memory", "arithmetic", or "either" where the uncertain rate decides."""
        low, high = self.flops_s
        if self.bytes_s >= high:
            return "memory"
        return "arithmetic" if self.bytes_s <= low else "either"


def published(engine: str | None = None, model: str | None = None) -> list[PublishedFigure]:
    """Published figures, all or those of one engine or model (names as in the file, case ignored)."""
    content = _content()
    figures = [PublishedFigure(**{**row, "source": _source(row["source"])}) for row in content["figure"]]
    return [
        figure
        for figure in figures
        if (engine is None or figure.engine.lower() == engine.lower())
        and (model is None or figure.model.lower() == model.lower())
    ]


def older_stars() -> dict[str, dict[str, int]]:
    """The older course's stars, 1 to 5: engine -> {"prefill": n, "decode": n}; claims without a measurement."""
    return {engine: dict(stars) for engine, stars in _content()["stars"].items()}


def device(name: str) -> Device:
    """A device by its published limits.

    Raises:
        UsageError: there is no such device in the file.
    """
    devices = _content()["device"]
    if name not in devices:
        raise UsageError(f"no published limits for {name!r}", f"known are {', '.join(devices)}", "")
    row = devices[name]
    rates = {precision: (rate["low"], rate["high"]) for precision, rate in row["flops_per_s"].items()}
    return Device(row["name"], _source(row["source"]), row["bandwidth_bytes_per_s"], row["memory_bytes"], rates)


def computed_step(cost: StepCost, *, on: Device, precision: str) -> ComputedStep:
    """The same step on a device known only by its published limits.

    Raises:
        UsageError: no rate for that precision.
    """
    if precision not in on.flops_per_s:
        raise UsageError(
            f"no published rate for {precision!r} on {on.name}", f"known are {', '.join(on.flops_per_s)}", ""
        )
    low, high = on.flops_per_s[precision]
    origin = f"computed from published limits of {on.name}, not measured"
    return ComputedStep(on.name, cost.bytes / on.bandwidth_bytes_per_s, (cost.flops / high, cost.flops / low), origin)


@cache
def _content() -> dict[str, Any]:
    return tomllib.loads(FILE.read_text(encoding="utf-8"))


def _source(name: str) -> Source:
    return Source(**_content()["source"][name])
