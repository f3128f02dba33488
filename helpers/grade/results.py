"""What grading says of one work unit: one learner's notebook, or bundle, of one task.

OUT/units/LEARNER/TASK/result.json     written whole when the unit is done; without it the unit is done again
OUT/units/LEARNER/TASK/executed.ipynb  the notebook as it ran, beside it
"""

import hashlib
import unicodedata
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from helpers.course.execution import TaskOutcome
from helpers.course.files import write_json

ItemKind = Literal["exercise", "milestone", "manual"]
ItemState = Literal["passed", "partial", "failed", "not-written", "reached", "not-reached", "not-run"]
UnitKind = Literal["notebook", "bundle"]

LONGEST_NAME_BYTES = 120
"""Of a learner's name as a folder; file systems allow 255 bytes."""


@dataclass(frozen=True, slots=True)
class Item:
    """One exercise or milestone of one unit.

    Attributes:
        id: of the exercise or milestone.
        title: as learners know it.
        points, max_points: before any rubric; what could not be run here has max_points 0 and costs nothing.
        state: of an exercise passed, partial, failed, not-written or not-run; of a milestone reached, not-reached or
            not-run.
        message: one line for the learner: what holds, what does not; never a private input or its answer.
        mistake: the diagnosis of the planted wrong answer that behaves like this one; empty if none does.
        hint: what to think about; empty if everything holds.
        evidence: the path, relative to the unit's folder, or the fact that the state rests on.
    """

    id: str
    kind: ItemKind
    title: str
    points: float
    max_points: float
    state: ItemState
    message: str = ""
    mistake: str = ""
    hint: str = ""
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """One unit, graded.

    Attributes:
        learner: as the submission names them.
        task: the task's stem.
        source: the file or folder as found, relative to the submissions.
        digest: SHA-256 of everything the result rests on: what was handed in, and what it was graded with.
        outcome: how the run ended, as in the command contract.
        reasons: one line each; what an instructor should know of outcome and restored cells.
        seconds: how long the unit took.
        seed: of this learner; the same in every run.
    """

    learner: str
    task: str
    kind: UnitKind
    source: str
    digest: str
    outcome: TaskOutcome
    reasons: tuple[str, ...]
    items: tuple[Item, ...]
    seconds: float
    seed: int

    @property
    def points(self) -> float:
        """Points of all items, before any rubric."""
        return sum(item.points for item in self.items)

    @property
    def max_points(self) -> float:
        """The most points that could be had here."""
        return sum(item.max_points for item in self.items)

    def to_json(self) -> dict[str, Any]:
        """JSON-ready; `from_json` is the inverse."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Result":
        """Read `to_json`'s dictionary.

        Raises:
            TypeError, KeyError: it is none.
        """
        items = tuple(Item(**item) for item in value["items"])
        return cls(**{**value, "reasons": tuple(value["reasons"]), "items": items})


def safe_name(name: str) -> str:
    """A learner's name as a file name: nothing that leaves a folder, hides, or differs only in its Unicode form."""
    normal = unicodedata.normalize("NFC", name)
    kept = "".join("_" if char in '/\\:*?"<>|' or unicodedata.category(char)[0] == "C" else char for char in normal)
    kept = kept.strip(" .").encode()[:LONGEST_NAME_BYTES].decode(errors="ignore")
    # Names that differ must not meet in one folder.
    return kept if kept and kept == normal else f"{kept}-{hashlib.sha256(normal.encode()).hexdigest()[:8]}"


def unit_folder(out: Path, learner: str, task: str) -> Path:
    """Where a unit's result, executed notebook and evidence lie."""
    return out / "units" / safe_name(learner) / task


def replay_path(run: Path, milestone_id: str) -> Path:
    """Where the grader's own verdict on a milestone of a run folder is kept, if it was played again."""
    return run.parent / "replays" / run.name / f"{milestone_id}.json"


def write_result(out: Path, result: Result) -> None:
    """Keep a result; a crash leaves the old one or the new one.

    Raises:
        MissingError: it cannot be written.
    """
    write_json(unit_folder(out, result.learner, result.task) / "result.json", result.to_json())
