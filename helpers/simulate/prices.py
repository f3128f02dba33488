"""What a million tokens cost, and how much energy they take, from prices that anybody may edit."""

import tomllib
from pathlib import Path
from typing import Any

from helpers.errors import UsageError
from helpers.simulate.devices import Device, published_devices

PRICES = Path(__file__).with_name("prices.toml")


def read_prices(path: Path | None = None) -> dict[str, Any]:
    """The prices, checked.

    Raises:
        UsageError: the file cannot be read, or a figure is missing or not above 0.
    """
    path = path or PRICES
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read", str(error), f"copy {PRICES.name} and edit the copy") from error
    for name in ("electricity_per_kwh", "power_share", "years", "busy_share"):
        value = table.get(name)
        if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 < value < float("inf"):
            raise UsageError(f"{name} in {path.name} must be a number above 0, not {value!r}")
    if not isinstance(table.get("currency"), str) or not isinstance(table.get("system"), dict):
        raise UsageError(f"{path.name} needs a currency and a table of systems", f"{PRICES.name} shows how")
    return table


def cost_of_million(
    name: str, device: Device, parallel: int, tokens_per_s: float, prices: dict[str, Any]
) -> tuple[float | None, float | None]:
    """(cost, kWh) of a million output tokens at that rate; None where a price or the power is not known."""
    hours = 1e6 / tokens_per_s / 3600
    row = prices["system"].get(name, {})
    known = published_devices().get(device.id)
    watts = row.get("watts") or ((known.watts + known.system_watts) * parallel if known else None)
    energy = watts * prices["power_share"] / 1000 * hours if watts else None
    if "per_hour" in row:
        machine = row["per_hour"] * hours
    elif "price" in row:
        machine = row["price"] / (prices["years"] * 365 * 24 * prices["busy_share"]) * hours
    else:
        return None, energy
    # A rented machine's electricity is in its rent.
    power = 0.0 if "per_hour" in row else (energy or 0.0) * prices["electricity_per_kwh"]
    return machine + power, energy
