"""What a load cost: machine time at the prices of prices.toml, and energy by the power stated there."""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

JOULES_PER_KWH = 3.6e6

_PATH = Path(__file__).with_name("prices.toml")


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one load.

    Attributes:
        eur: for the machine, or the cores of it that the deployment takes, as long as the load ran.
        eur_per_1000_good: for 1,000 requests that kept the objective; None if none did.
        joules: the engines' processor seconds, or the accelerator's time, times the stated power.
        joules_per_good: of each request that kept the objective; None if none did.
    """

    eur: float
    eur_per_1000_good: float | None
    joules: float
    joules_per_good: float | None


def cost_of(profile: str, *, duration_s: float, cores: int, cpu_s: float | None, good: int) -> Cost:
    """Cost of a load.

    Args:
        profile: of prices.toml.
        duration_s: of the load, on the brief's clock: a machine that is busy today is not dearer.
        cores: that the deployment takes.
        cpu_s: processor seconds that it used; None where they are not known: then all its cores count as busy.
        good: requests that kept the objective.
    """
    prices = _read()[profile]
    if "eur_per_core_hour" in prices:
        eur = cores * duration_s / 3600 * prices["eur_per_core_hour"]
        joules = (cpu_s if cpu_s is not None else cores * duration_s) * prices["watts_per_core"]
    else:
        eur = duration_s / 3600 * prices["eur_per_hour"]
        joules = duration_s * prices["watts"]
    return Cost(eur, 1000 * eur / good if good else None, joules, joules / good if good else None)


@cache
def _read() -> dict[str, dict[str, float]]:
    prices: dict[str, dict[str, float]] = tomllib.loads(_PATH.read_text(encoding="utf-8"))
    return prices
