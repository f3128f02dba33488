"""Machines as the simulator knows them: their published limits, or this CPU's measured ones."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from helpers.errors import UsageError

FILE = Path(__file__).with_name("devices.toml")
CPU = "cpu"
"""The device that is measured and not published: the processor of this machine."""


@dataclass(frozen=True, slots=True)
class Link:
    """What joins the machines, or cards, of one tensor-parallel group.

    Attributes:
        bandwidth_bytes_per_s: in one direction.
        latency_s: of a small all-reduce; None where it is a fitted parameter.
    """

    name: str
    bandwidth_bytes_per_s: float
    latency_s: float | None = None


@dataclass(frozen=True, slots=True)
class Device:
    """One machine.

    Attributes:
        source: where the limits come from.
        memory_bytes: what an engine sees of it; `reserved_bytes` of that stays with the host and the program.
        flops_per_s: dense rate by the precision of the multiplication.
        watts, system_watts: drawn at most by the accelerator, and by the machine around it.
    """

    id: str
    name: str
    source: str
    bandwidth_bytes_per_s: float
    memory_bytes: float
    reserved_bytes: float
    flops_per_s: Mapping[str, float]
    link: Link
    watts: float = 0.0
    system_watts: float = 0.0

    @property
    def usable_bytes(self) -> float:
        """For weights and KV cache."""
        return self.memory_bytes - self.reserved_bytes

    def rate(self, precision: str) -> float:
        """FLOPs a second at a precision; one without units of its own is unpacked to bf16, or f32."""
        for known in (precision, "bf16", "f32"):
            if known in self.flops_per_s:
                return self.flops_per_s[known]
        raise UsageError(f"{self.name} has no rate for {precision}")


@cache
def published_devices() -> dict[str, Device]:
    """The machines of `devices.toml`, by id."""
    table = tomllib.loads(FILE.read_text(encoding="utf-8"))
    return {name: Device(id=name, **{**row, "link": Link(**row["link"])}) for name, row in table.items()}


def require_known(device: str) -> None:
    """Refuse a device that is neither published nor this CPU.

    Raises:
        UsageError: there is no such device.
    """
    names = [*published_devices(), CPU]
    if device not in names:
        raise UsageError(
            f"unknown device {device!r}", f"known are {', '.join(names)}", "./course simulate --device gb10"
        )
