"""Briefs: what is asked of a deployment, read from briefs.toml.

A brief is a situation. For each profile of machine it has a load, models and engines to choose from, a budget and a
service-level objective, so that the same decisions are taken on a laptop and on a Spark.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from helpers.bench.arrivals import Arrivals, ClosedLoop, Poisson
from helpers.bench.metrics import Objective
from helpers.engines.plan import close_match
from helpers.errors import UsageError

_PATH = Path(__file__).with_name("briefs.toml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What is asked, how often; briefs.toml explains the fields."""

    requests: int
    quick_requests: int
    output_tokens: int
    fixed_output: bool = True
    preambles: int = 0
    per_preamble: int = 0
    preamble_tokens: int = 0
    own_tokens: int = 0
    texts: str = ""
    rate_per_s: float | None = None
    streams: int | None = None

    def arrivals(self, pace: float) -> Arrivals:
        """The load shape on a clock that runs `pace` times as slowly."""
        return Poisson(self.rate_per_s / pace) if self.rate_per_s is not None else ClosedLoop(self.streams or 1)

    def count(self, quick: bool) -> int:
        """Requests of a judgement."""
        return self.quick_requests if quick else self.requests

    @property
    def shareable(self) -> float:
        """Share of prompt tokens that an earlier request had too, once every preamble has been seen."""
        if not self.preamble_tokens:
            return 0.0
        again = 1.0 if self.preambles else 1 - 1 / self.per_preamble
        return again * self.preamble_tokens / (self.preamble_tokens + self.own_tokens)


@dataclass(frozen=True, slots=True, kw_only=True)
class Yardstick:
    """A fixed small job, and how long it takes on the machine that the brief's times were written for."""

    engine: str
    model: str
    input_tokens: int
    output_tokens: int
    nominal_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Brief:
    """One brief on one profile.

    Attributes:
        name, title, situation, note: what a learner reads.
        profile: laptop, spark or two-sparks.
        models, engines: to choose from.
        cores, memory_gb: of the machine, for the engines.
        load: what is asked.
        objective, share: the bounds on a request, and the share of requests that must keep them.
        deadline_s, quick_deadline_s: for the whole load; None for none.
        target_per_s: goodput that earns all points for it.
        budget_eur: for 1,000 good requests, that earns all points for cost.
        weights: points for goodput, cost and honesty.
        quality, quality_floor: the kind of fixed tasks, and the share of them that must be right.
        yardstick: None: the clock is the wall's.
        timeout_s: bound on a request, after which it counts as failed.
        default: the deployment that runs today.
    """

    name: str
    title: str
    situation: str
    profile: str
    models: tuple[str, ...]
    engines: tuple[str, ...]
    cores: int
    memory_gb: float
    load: Load
    target_per_s: float
    budget_eur: float
    weights: Mapping[str, float]
    quality: str
    quality_floor: float
    default: Mapping[str, Any]
    note: str = ""
    objective: Objective = field(default_factory=Objective)
    share: float = 1.0
    deadline_s: float | None = None
    quick_deadline_s: float | None = None
    yardstick: Yardstick | None = None
    timeout_s: float = 300.0

    def deadline(self, quick: bool) -> float | None:
        """Seconds for the whole load, on the brief's clock."""
        return self.quick_deadline_s if quick else self.deadline_s

    def describe(self) -> str:
        """For a terminal."""
        load = self.load
        shape = f"{load.rate_per_s:g} requests/s, Poisson" if load.rate_per_s else f"{load.streams} at a time"
        prompts = (
            f"{load.texts} prompts of the course"
            if load.texts
            else f"prompts of {load.preamble_tokens} shared and {load.own_tokens} own tokens"
        )
        bounds = [
            f"{self.share:.0%} of requests with {name[:-2].upper()} within {bound:g} s"
            for name, bound in (("ttft_s", self.objective.ttft_s), ("tpot_s", self.objective.tpot_s))
            if bound is not None
        ]
        bounds += [f"all done within {self.deadline_s:g} s"] if self.deadline_s else []
        lines = (
            f"{self.title} ({self.profile})",
            self.situation,
            *([self.note] if self.note else []),
            f"load: {shape}; {prompts}; answers of {load.output_tokens} tokens; {load.requests} requests",
            f"objective: {'; '.join(bounds)}",
            f"quality: at least {self.quality_floor:.0%} of the fixed tasks ({self.quality})",
            f"to choose from: {', '.join(self.engines)}; {', '.join(self.models)}",
            f"machine: {self.cores} cores, {self.memory_gb:g} GB for the engines",
            f"full marks: {self.target_per_s:g} good requests/s, {self.budget_eur:g} EUR for 1,000 of them",
            f"runs today: {', '.join(f'{name} = {value}' for name, value in self.default.items())}",
        )
        return "\n".join(lines)


def brief_names() -> tuple[str, ...]:
    """The briefs."""
    return tuple(_read())


def find_brief(name: str, profile: str) -> Brief:
    """A brief on a profile.

    Raises:
        UsageError: there is no such brief, or it is not written for this profile.
    """
    if name not in _read():
        raise UsageError(
            f"there is no brief {name!r}{close_match(name, brief_names())}",
            f"the briefs are {', '.join(brief_names())}",
            f"./course judge {brief_names()[0]}",
        )
    table = _read()[name]
    if not isinstance(table.get(profile), dict):
        raise UsageError(f"the brief {name} is not written for the profile {profile!r}")
    values = dict(table[profile])
    if "like" in values:
        values = {**table[values.pop("like")], **values}
    quality = values.pop("quality")
    for key, kind in (("load", Load), ("objective", Objective), ("yardstick", Yardstick)):
        if key in values:
            values[key] = kind(**values[key])
    values |= {key: tuple(values[key]) for key in ("models", "engines")}
    common = {key: table[key] for key in ("title", "situation", "weights")}
    return Brief(
        name=name, profile=profile, quality=quality["kind"], quality_floor=quality["floor"], **common, **values
    )


@cache
def _read() -> dict[str, dict[str, Any]]:
    briefs: dict[str, dict[str, Any]] = tomllib.loads(_PATH.read_text(encoding="utf-8"))
    return briefs
