"""What a task is made of: exercises with cases, milestones with judges. Values only; nothing here runs anything.

A task is defined in `content/NN_stem/task.py` as a constant `TASK`. Learners receive that file, so it holds visible
cases with their expected answers and no solution. Private cases are the same values in a file of the instructor's.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from helpers.errors import UsageError

if TYPE_CHECKING:
    from helpers.bench.bundle import Bundle

State = Literal["reached", "not-reached", "not-run"]


@dataclass(frozen=True, slots=True)
class Case:
    """One input of an exercise with its expected answer, both JSON values.

    Attributes:
        name: unique in its exercise; learners read it.
        inputs: keyword arguments of the learner's function.
        expected: what a right answer returns.
        hint: what to think about when this case does not hold; empty: the exercise's own hint serves.
    """

    name: str
    inputs: Mapping[str, Any]
    expected: Any
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Exercise:
    """A function that the learner writes, judged by what it returns.

    Attributes:
        id: `exN-kebab`, unique in the course, and the id of the lab cell that defines the function.
        title: a few words; reports show it.
        function: the name of the function.
        hint: one or two sentences that help without giving the solution.
        cases: the visible cases.
        relative_tolerance: how far a number may be off, as a share of the expected one.
        absolute_tolerance: how far a number may be off in its own unit; counts where the expected one is near zero.
    """

    id: str
    title: str
    function: str
    hint: str
    cases: tuple[Case, ...]
    relative_tolerance: float = 1e-6
    absolute_tolerance: float = 1e-9


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a milestone's judge sees: the content of an evidence file, and where its bundles lie.

    Attributes:
        data: the evidence as the notebook gave it.
        folder: the run folder; bundle names in `data` are relative to it.
        backend: engine, version, model and hardware in one line; empty if the notebook named none.
    """

    data: dict[str, Any]
    folder: Path
    backend: str = ""

    def bundle(self, name: str) -> "Bundle":
        """A bundle of the run folder that was measured, here or elsewhere.

        Raises:
            CourseError: there is none, it is damaged, or it is simulated: a simulation is no evidence.
        """
        from helpers.bench.bundle import load_bundle

        found = load_bundle(self.folder / name)
        if found.origin == "simulated":
            raise UsageError(f"{name} is simulated, and a milestone is about what was measured", "", "measure it")
        return found


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a judge says: a state, the reason unless reached, and the numbers it rests on."""

    state: State
    reason: str = ""
    numbers: Mapping[str, Any] = field(default_factory=dict)


def reached(**numbers: Any) -> Verdict:
    """The milestone holds; `numbers` are shown beside it, never compared."""
    return Verdict("reached", "", numbers)


def not_reached(reason: str, **numbers: Any) -> Verdict:
    """The milestone was tried and does not hold; `reason` says what was seen and what was asked."""
    return Verdict("not-reached", reason, numbers)


def not_run(needs: str) -> Verdict:
    """The milestone could not be tried here; `needs` completes the sentence "needs ..."."""
    return Verdict("not-run", f"needs {needs}")


@dataclass(frozen=True, slots=True)
class Milestone:
    """A deliverable, judged by a pure function from its evidence file.

    Attributes:
        id: as in the command contract, for example 12.1.report.
        title: a few words; reports show it.
        judge: evidence -> verdict; reads nothing but the evidence and the bundles it names.
        needs: completes "needs ..." when there is no evidence because it could not be run here.
        embedded: the state that the embedded default must show.
    """

    id: str
    title: str
    judge: Callable[[Evidence], Verdict]
    needs: str
    embedded: Literal["reached", "not-run"] = "reached"

    @property
    def cell_id(self) -> str:
        """The id of the cell that calls `helpers.milestone`."""
        return "milestone-" + self.id.replace(".", "-")

    def text(self, verdict: Verdict) -> str:
        """The verdict in one line; holds no number of a reached milestone, so that it can be compared."""
        reason = f" ({verdict.reason})" if verdict.reason else ""
        return f"milestone {self.id}: {verdict.state}{reason}"

    @property
    def embedded_text(self) -> str:
        """The line that the embedded default must show."""
        return self.text(reached() if self.embedded == "reached" else not_run(self.needs))


@dataclass(frozen=True, slots=True)
class Task:
    """One task of the course.

    Attributes:
        title: as on the course's front page.
        minutes: what a learner should plan for.
        needs: cores, memory, disk, accelerator, in one line.
        exercises: in the order of the lab.
        milestones: in the order of the notebook.
        gpu_minutes: what to book of a GPU for the notebook and the lab, an estimate; 0 if they use none.
    """

    title: str
    minutes: int
    needs: str
    exercises: tuple[Exercise, ...]
    milestones: tuple[Milestone, ...]
    gpu_minutes: int = 0
