"""What several runs say together: a sweep has a knee, a comparison has ratios with intervals."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from helpers.bench.bundle import load_bundle, save_bundle
from helpers.bench.knee import knee_index
from helpers.bench.metrics import Metrics
from helpers.bench.run import Run
from helpers.bench.statistics import Interval, ratio
from helpers.errors import UsageError

LEAST_GAIN = 1.10
"""Doubling the streams must gain this factor of output tokens per second, or the sweep has passed the knee."""

FIGURES = ("output_tokens_per_s", "input_tokens_per_s", "ttft_s.p50", "ttft_s.p99", "tpot_s.p50", "e2e_s.p50")
"""Figures that comparisons show."""


def figure(metrics: Metrics, name: str) -> float | None:
    """One figure by name, such as output_tokens_per_s or ttft_s.p50; None where there was nothing to measure.

    Raises:
        UsageError: there is no such figure.
    """
    value: object = metrics
    for part in name.split("."):
        if value is None:
            return None
        if not hasattr(value, part):
            raise UsageError(f"there is no figure {name!r}", f"figures are named like {', '.join(FIGURES[:4])}")
        value = getattr(value, part)
    return value if isinstance(value, (int, float)) else None


def past_the_knee(runs: Sequence[Run]) -> bool:
    """True if the last doubling of streams gained less than `LEAST_GAIN` in throughput."""
    if len(runs) < 2:
        return False
    before, after = (run.metrics.output_tokens_per_s or 0.0 for run in runs[-2:])
    return after < before * LEAST_GAIN


@dataclass(frozen=True)
class Sweep:
    """One server at several loads."""

    runs: tuple[Run, ...]

    @property
    def points(self) -> list[dict[str, Any]]:
        """The runs in the command contract's form."""
        return [run.point() for run in self.runs]

    @property
    def knee(self) -> Run | None:
        """The load of greatest power, see `helpers.bench.knee`; None if no valid run measured both sides of it."""
        index = knee_index(
            [
                (run.metrics.output_tokens_per_s, run.metrics.e2e_s.p50)
                if run.valid and run.metrics.e2e_s
                else (None, None)
                for run in self.runs
            ]
        )
        return None if index is None else self.runs[index]

    def save(self, folder: Path) -> None:
        """Keep it in a new folder; see `save_bundle`."""
        save_bundle(folder, "sweep", self.runs)

    @classmethod
    def load(cls, folder: Path) -> "Sweep":
        """Read a bundle, of whatever kind, as a sweep; see `load_bundle`."""
        return cls(load_bundle(folder).runs)


@dataclass(frozen=True)
class Comparison:
    """Several servers under one load, repeats interleaved; the first is the baseline."""

    runs: tuple[Run, ...]

    def __getitem__(self, label: str) -> Run:
        for run in self.runs:
            if run.label == label:
                return run
        raise KeyError(label)

    def ratio(self, label: str, name: str = "output_tokens_per_s") -> Interval:
        """This server's figure / the baseline's, over the paired repeats, with its confidence interval.

        Raises:
            KeyError: no such server. UsageError: no such figure, or too few repeats that measured it on both sides.
        """
        sides = [[figure(metrics, name) for metrics in run.repeat_metrics] for run in (self.runs[0], self[label])]
        pairs = [(base, other) for base, other in zip(*sides, strict=True) if base is not None and other is not None]
        return ratio([base for base, _ in pairs], [other for _, other in pairs])

    def save(self, folder: Path) -> None:
        """Keep it in a new folder; see `save_bundle`."""
        save_bundle(folder, "comparison", self.runs)

    @classmethod
    def load(cls, folder: Path) -> "Comparison":
        """Read a comparison's bundle.

        Raises:
            UsageError: the folder holds another kind of bundle.
        """
        bundle = load_bundle(folder)
        if bundle.kind != "comparison":
            raise UsageError(f"{folder} holds a {bundle.kind}, not a comparison")
        return cls(bundle.runs)
