"""What an engine's module provides, so that everything else can treat all engines alike.

A module in this folder has one object, ADAPTER, of the form below. `registry` finds it by the engine's name.
"""

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Protocol

from helpers.engines.failures import Symptom
from helpers.engines.plan import LaunchPlan, ServeConfig, close_match
from helpers.errors import UsageError

ALWAYS = frozenset({"engine", "model", "precision", "port", "speculation"})
"""Options that every adapter takes; which precisions and speculations is a list of its own."""


class Adapter(Protocol):
    """One engine.

    Attributes:
        name: as in `launch(name)`.
        default_port: for a printed plan; a launch takes a free one.
        precisions: what it serves; the first is its default.
        speculations: kinds of speculation it has.
        options: fields of ServeConfig it honours besides those that all do.
        extra: names it accepts in `ServeConfig.extra`.
        metric_names: its metric's name -> the common one (`helpers.engines.metrics`).
        symptoms: what its log says when it does not start.
        refusals: what its log says when it answers, but does not serve what was asked for.
        start_limit_s: how long it may take until it answers.
    """

    name: str
    default_port: int
    precisions: tuple[str, ...]
    speculations: tuple[str, ...]
    options: frozenset[str]
    extra: tuple[str, ...]
    metric_names: Mapping[str, str]
    symptoms: tuple[Symptom, ...]
    refusals: tuple[Symptom, ...]
    start_limit_s: float

    def needs(self) -> tuple[str, str] | None:
        """None if it can run here; else what it needs, and the next step."""

    def complete(self, config: ServeConfig) -> ServeConfig:
        """Fill in what the configuration leaves to the engine; raises UsageError for what it cannot serve."""

    def plan(self, config: ServeConfig) -> LaunchPlan:
        """The command for a completed configuration; model files that it reads are made if they are missing."""

    def backend(self, config: ServeConfig) -> str:
        """One line for reports: program, version, device."""

    def read_metrics(self, urls: Mapping[str, str]) -> dict[str, float]:
        """The running engine's metrics under the common names."""


def complete(adapter: Adapter, config: ServeConfig) -> ServeConfig:
    """Check a configuration against what the engine can do, and fill in its defaults.

    Raises:
        UsageError: it asks for something that this engine does not have.
    """
    honoured = ALWAYS | adapter.options
    for name, value in config.changed().items():
        if name not in honoured:
            raise UsageError(
                f"{adapter.name} has no {name} (asked for {value!r})",
                f"it takes {', '.join(f.name for f in fields(config) if f.name in honoured)}",
            )
    for name in config.extra:
        if name not in adapter.extra:
            raise UsageError(
                f"{adapter.name} has no extra option {name!r}{close_match(name, adapter.extra)}",
                f"it has {', '.join(adapter.extra) or 'none'}",
            )
    if config.speculation not in adapter.speculations:
        raise UsageError(
            f"{adapter.name} has no speculation {config.speculation!r}", f"it has {', '.join(adapter.speculations)}"
        )
    if config.precision and config.precision not in adapter.precisions:
        raise UsageError(
            f"{adapter.name} does not serve {config.precision}", f"it serves {', '.join(adapter.precisions)}"
        )
    return adapter.complete(replace(config, engine=adapter.name))
