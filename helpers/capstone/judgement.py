"""A judgement: what was recorded of a deployment under a brief's load, and every figure that follows from it.

    FOLDER/judgement.json   brief, profile, deployment, seed, clock, answers to the fixed tasks, processor time, endings
    FOLDER/load/            the load as a bundle (`helpers.load_bundle`); missing if it never began

Every latency, rate and score is computed from the records. The clock, the answers and the processor time are what the
file says they were: who must not believe it plays the brief again, as the grader does.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from helpers.bench.bundle import load_bundle
from helpers.bench.metrics import Metrics, Objective, summarize
from helpers.bench.run import Run
from helpers.capstone.brief import Brief, find_brief
from helpers.capstone.clock import Pace
from helpers.capstone.cost import Cost, cost_of
from helpers.capstone.deployment import Deployment
from helpers.capstone.quality import share_right
from helpers.capstone.score import beside, honesty, points
from helpers.course.files import read_json, write_json
from helpers.errors import MissingError

RECORD, LOAD = "judgement.json", "load"


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """One deployment under one brief.

    Attributes:
        brief, deployment, quick, seed: who was judged on what.
        pace: the brief's clock.
        run: the load with its records; None if it never began.
        answers: to the fixed tasks; None where they were not asked.
        cores, cpu_s: cores that the deployment takes; processor seconds it used under the load, None if unknown.
        max_num_seqs, max_model_len: as the engine was started.
        endings: why replicas ended by themselves.
        origin: measured, recorded or simulated.
    """

    brief: Brief
    deployment: Deployment
    quick: bool
    seed: int
    pace: Pace
    run: Run | None
    answers: list[str] | None
    cores: int
    cpu_s: float | None
    max_num_seqs: int
    max_model_len: int
    endings: tuple[str, ...] = ()
    origin: str = "measured"

    @property
    def objective(self) -> Objective:
        """The bounds on a request, in seconds of the wall."""
        bounds = asdict(self.brief.objective)
        return Objective(
            **{name: None if bound is None else bound * self.pace.factor for name, bound in bounds.items()}
        )

    @cached_property
    def metrics(self) -> Metrics:
        """Figures of the load, in seconds of the wall."""
        return summarize(self.run.records if self.run is not None else [], self.objective)

    @property
    def offered(self) -> int:
        """Requests that the load has."""
        return self.run.requests if self.run is not None else self.brief.load.count(self.quick)

    @cached_property
    def good(self) -> int:
        """Requests that succeeded and kept every bound."""
        return sum(self.objective.met_by(record) for record in self.run.records) if self.run is not None else 0

    @property
    def duration_s(self) -> float:
        """Of the load, on the brief's clock."""
        return self.metrics.duration_s / self.pace.factor

    @property
    def goodput_per_s(self) -> float:
        """Requests a second that kept the objective, on the brief's clock."""
        return self.good / self.duration_s if self.duration_s > 0 else 0.0

    @property
    def slo_met(self) -> bool:
        """Whether enough requests kept the bounds, and all were done by the deadline."""
        deadline_s = self.brief.deadline(self.quick)
        in_time = deadline_s is None or 0 < self.duration_s <= deadline_s
        return in_time and self.good >= self.brief.share * self.offered

    @cached_property
    def quality(self) -> float | None:
        """Share of the fixed tasks that were solved; None where they were not asked."""
        return None if self.answers is None else share_right(self.brief.quality, self.answers)

    @cached_property
    def cost(self) -> Cost:
        """Of the load."""
        return cost_of(
            self.brief.profile, duration_s=self.duration_s, cores=self.cores, cpu_s=self.cpu_s, good=self.good
        )

    @cached_property
    def predicted(self) -> dict[str, dict[str, Any]]:
        """Each predicted figure beside the measured one, on the brief's clock."""
        ttft, rate = self.metrics.ttft_s, self.metrics.output_tokens_per_s
        measured = {
            "goodput_per_s": self.goodput_per_s,
            "ttft_p90_s": ttft.p90 / self.pace.factor if ttft is not None else None,
            "output_tokens_per_s": rate * self.pace.factor if rate is not None else None,
        }
        return beside(self.deployment.prediction, measured)

    @cached_property
    def points(self) -> dict[str, float]:
        """Points for goodput, cost and honesty."""
        honest = honesty(self.predicted)
        return points(self.brief, goodput_per_s=self.goodput_per_s, cost=self.cost, quality=self.quality, honest=honest)

    @property
    def score(self) -> float:
        """0 to 100."""
        return round(sum(self.points.values()), 1)

    @cached_property
    def reasons(self) -> list[str]:
        """What cost points, the cause first; one line each."""
        from helpers.capstone.reasons import find_reasons

        return find_reasons(self)

    def to_json(self) -> dict[str, Any]:
        """The contract's {brief, goodput, slo_met, quality, cost, predicted, score, reasons}, with what was added."""
        metrics = self.metrics.to_json()
        names = ("requests", "errors", "duration_s", "ttft_s", "tpot_s", "output_tokens_per_s", "goodput_per_s")
        return {
            "brief": self.brief.name,
            "goodput": self.goodput_per_s,
            "slo_met": self.slo_met,
            "quality": self.quality,
            "cost": asdict(self.cost),
            "predicted": self.predicted,
            "score": self.score,
            "reasons": self.reasons,
            "points": self.points,
            "profile": self.brief.profile,
            "deployment": self.deployment.decisions,
            "origin": self.origin,
            "pace": self.pace.factor,
            "seed": self.seed,
            "quick": self.quick,
            "wall": {name: metrics[name] for name in names},
            "backend": self.run.target.backend if self.run is not None else "",
        }

    def save(self, folder: Path) -> None:
        """Keep it in a new folder.

        Raises:
            UsageError: the folder holds one already. MissingError: it cannot be written.
        """
        if self.run is not None:
            self.run.save(folder / LOAD)
        write_json(
            folder / RECORD,
            {
                "brief": self.brief.name,
                "profile": self.brief.profile,
                "deployment": self.deployment.to_json(),
                "quick": self.quick,
                "seed": self.seed,
                "pace": asdict(self.pace),
                "answers": self.answers,
                "cores": self.cores,
                "cpu_s": self.cpu_s,
                "max_num_seqs": self.max_num_seqs,
                "max_model_len": self.max_model_len,
                "endings": list(self.endings),
                "origin": self.origin,
            },
        )


def load_judgement(folder: Path) -> Judgement:
    """Read a judgement; its figures are computed anew.

    Raises:
        MissingError: the folder holds none, or it is damaged. UsageError: it names an unknown brief or option.
    """
    try:
        value = read_json(folder / RECORD)
    except ValueError as error:
        raise MissingError(f"{folder / RECORD} cannot be read", str(error)) from error
    if not isinstance(value, Mapping):
        raise MissingError(f"{folder} holds no judgement", f"{RECORD} is missing", "./course judge BRIEF --out DIR")
    bundle = load_bundle(folder / LOAD) if (folder / LOAD).is_dir() else None
    try:
        origin = value["origin"]
        if bundle is not None and origin == "measured":
            origin = bundle.origin
        return Judgement(
            brief=find_brief(value["brief"], value["profile"]),
            deployment=Deployment.build(**value["deployment"]),
            quick=value["quick"],
            seed=value["seed"],
            pace=Pace(**value["pace"]),
            run=bundle.runs[0] if bundle is not None else None,
            answers=value["answers"],
            cores=value["cores"],
            cpu_s=value["cpu_s"],
            max_num_seqs=value["max_num_seqs"],
            max_model_len=value["max_model_len"],
            endings=tuple(value["endings"]),
            origin=origin,
        )
    except (KeyError, TypeError) as error:
        raise MissingError(f"{folder / RECORD} is damaged", f"{type(error).__name__}: {error}") from error
