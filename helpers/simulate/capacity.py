"""Machines side by side at one objective: what the planner found, and how it is told."""

from dataclasses import asdict, dataclass
from typing import Any

from helpers.bench.metrics import Metrics, Objective
from helpers.bench.units import digits

SHARE_GOOD = 0.9
"""Of the answers, that must meet the objective."""

MOST_USERS = 2048
"""Where the search ends: more is told as this many."""

COLUMNS = ("system", "users", "80 %", "tokens/s out", "TTFT p90, s", "TPOT p90, ms", "per M tokens", "kWh per M tokens")


@dataclass(frozen=True, slots=True)
class SystemCapacity:
    """One machine at the objective.

    Attributes:
        users: most of them that are served; 0 if not even one is, or if the model does not fit (`why` says so).
        users_interval: at the slow and at the fast end of the model's 80 % interval.
        output_tokens_per_s: of all users, in the long run: each has one answer in a cycle of waiting, reading, thinking
            (Little's law).
        metrics: at that number of users, ramp-up and drain included; None if there is none.
        cost_per_million_tokens: of output, machine and electricity, while this busy.
    """

    system: str
    users: int
    users_interval: tuple[int, int]
    quantization: str = ""
    output_tokens_per_s: float | None = None
    metrics: Metrics | None = None
    cost_per_million_tokens: float | None = None
    kwh_per_million_tokens: float | None = None
    why: str = ""
    extrapolations: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return {**asdict(self), "origin": "simulated"}


@dataclass(frozen=True, slots=True)
class CapacityPlan:
    """Machines side by side at one objective."""

    model: str
    engine: str
    objective: Objective
    input_tokens: int
    output_tokens: int
    think_s: float
    currency: str
    systems: tuple[SystemCapacity, ...]
    assumptions: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """What was asked, in a line."""
        bounds = {"TTFT": self.objective.ttft_s, "TPOT": self.objective.tpot_s, "end to end": self.objective.e2e_s}
        wanted = ", ".join(f"{name} within {bound:g} s" for name, bound in bounds.items() if bound is not None)
        lengths = f"{self.input_tokens:,} / {self.output_tokens:,} tokens, {self.think_s:g} s to think"
        return f"{self.model} on {self.engine}, {lengths}; {SHARE_GOOD:.0%} of answers with {wanted}"

    @property
    def notes(self) -> list[str]:
        """Why a machine serves nobody, what is assumed, and where the simulation leaves what was published."""
        lines = [f"{each.system}: {text}" for each in self.systems for text in (each.why, *each.extrapolations) if text]
        return [*lines, *self.assumptions]

    def rows(self) -> list[tuple[str, ...]]:
        """A row a machine, for `COLUMNS`."""
        return [_row(each, self.currency) for each in self.systems]

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        value = {**asdict(self), "origin": "simulated", "systems": [each.to_json() for each in self.systems]}
        return {**value, "notes": self.notes}


def _row(each: SystemCapacity, currency: str) -> tuple[str, ...]:
    metrics = each.metrics
    low, high = each.users_interval
    users = f"{each.users:,}{'+' if each.users >= MOST_USERS else ''}"
    if metrics is None or metrics.ttft_s is None:
        return (f"{each.system} {each.quantization}".strip(), users, f"{low:,} to {high:,}", "-", "-", "-", "-", "-")
    cost = "-" if each.cost_per_million_tokens is None else f"{each.cost_per_million_tokens:.2f} {currency}"
    return (
        f"{each.system} {each.quantization}",
        users,
        f"{low:,} to {high:,}",
        digits(each.output_tokens_per_s),
        digits(metrics.ttft_s.p90),
        digits(metrics.tpot_s.p90 * 1000 if metrics.tpot_s else None),
        cost,
        "-" if each.kwh_per_million_tokens is None else digits(each.kwh_per_million_tokens),
    )
