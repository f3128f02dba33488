"""What the process of one work unit is told."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from helpers.course.execution import TaskOutcome
from helpers.grade.jail import Jail
from helpers.grade.limits import UnitLimits
from helpers.grade.results import UnitKind
from helpers.grade.sandbox import Sandbox, make_jail

NOTEBOOK, EXERCISES, VERDICT = "notebook", "exercises", "verdict"
"""Places of a unit's jails: two that learners' code writes to, one that it never sees. Replays make more of each."""


@dataclass(frozen=True, slots=True)
class UnitRequest:
    """What a unit's process is told; JSON values only.

    Attributes:
        notebook, bundle: paths; empty if there is none.
        problem: outcome and reason why nothing may be opened; empty if it may.
        digest, seed: of the result.
        out: the grading's folder.
        private: exercise id -> private cases as dictionaries; the file itself stays with the grader.
        hide: what submissions must not see.
        rerun: a bundle whose notebook is run here too, as a sample.
        slot: whose user its processes have; the unit's process takes one for itself.
        scratch: a folder that is deleted afterwards.
    """

    learner: str
    task: str
    kind: UnitKind
    source: str
    notebook: str
    bundle: str
    problem: tuple[TaskOutcome, str] | None
    digest: str
    seed: int
    out: str
    private: Mapping[str, list[dict[str, Any]]]
    hide: tuple[str, ...]
    limits: UnitLimits
    sandbox: Sandbox
    rerun: bool
    slot: int
    scratch: str

    def to_json(self) -> dict[str, Any]:
        """JSON-ready; `from_json` is the inverse."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "UnitRequest":
        """Read `to_json`'s dictionary."""
        parts = {"limits": UnitLimits(**value["limits"]), "sandbox": Sandbox(**value["sandbox"])}
        problem = tuple(value["problem"]) if value["problem"] else None
        return cls(**{**value, **parts, "problem": problem, "hide": tuple(value["hide"])})

    def jail(
        self,
        place: str,
        *,
        network: str = "none",
        reveal: tuple[Path, ...] = (),
        environment: dict[str, str] | None = None,
    ) -> Jail:
        """The jail of one of this unit's processes.

        Args:
            place: the folder in the scratch folder that holds all it may write. Where learners' code was before, none
                of ours may start: Python looks for modules there, and links may lead files of ours anywhere.
            network, reveal, environment: those of `make_jail`.
        """
        return make_jail(
            self.sandbox,
            self.limits,
            Path(self.scratch, place),
            self.slot,
            network=network,
            hide=tuple(Path(path) for path in self.hide),
            reveal=reveal,
            environment=environment,
        )
