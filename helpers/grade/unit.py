"""One work unit from what was handed in to its result; runs in a process of its own (`helpers.grade.unit_child`).

    sanitised -> run in a jail -> files taken out -> exercises judged -> milestones judged -> unit.json

    OUT/units/LEARNER/TASK/unit.json         {result, claims, records, ledger}: what this unit alone can say
    OUT/units/LEARNER/TASK/submitted.ipynb   the notebook as it was run
    OUT/units/LEARNER/TASK/executed.ipynb    with its outputs
    OUT/units/LEARNER/TASK/run/              what it left: evidence, bundles, reports
    OUT/units/LEARNER/TASK/engines/          the logs of the grader's engines

What needs the whole class, claims of not-run and copied records, is settled afterwards (`helpers.grade.claims`).
"""

import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from helpers.config import read_settings
from helpers.course.catalogue import Entry, find_task
from helpers.course.execution import Ending, TaskOutcome
from helpers.course.files import write_json, write_text
from helpers.course.task import Case
from helpers.grade.broker import Broker
from helpers.grade.execution import collect, run_notebook
from helpers.grade.jail import Jail
from helpers.grade.judging import exercise_items, not_judged
from helpers.grade.limits import UnitLimits
from helpers.grade.results import Item, Result, UnitKind, unit_folder
from helpers.grade.sandbox import Sandbox, make_jail
from helpers.grade.sanitise import Refused, Sanitised, sanitise
from helpers.grade.tampering import cells_that_ran, hidden_code, replacements
from helpers.grade.verdicts import Judged, judge_milestones, milestone_item
from helpers.models import catalogue

HEAVY = "course-heavy"
KEPT = ("submitted.ipynb", "executed.ipynb", "run", "engines")


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
        slot: which of the concurrent jobs this is.
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


class Unit:
    """A unit on its way.

    Args:
        request: what to grade.
    """

    def __init__(self, request: UnitRequest) -> None:
        self.request = request
        self.entry: Entry = find_task(request.task)
        self.folder = unit_folder(Path(request.out), request.learner, request.task)
        self.reasons: list[str] = []
        self.ledger: dict[str, Any] = {"engines": [], "refused": []}

    def grade(self) -> None:
        """Do all of it, and write unit.json last."""
        started = time.monotonic()
        for name in KEPT:
            path = self.folder / name
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        outcome, items, judged = self._graded()
        request = self.request
        result = Result(
            request.learner,
            request.task,
            request.kind,
            request.source,
            request.digest,
            outcome,
            tuple(self.reasons),
            tuple(items),
            round(time.monotonic() - started, 3),
            request.seed,
        )
        claims = [one.id for one in judged if one.state == "not-run" and not one.problem]
        records = {
            one.id: {"fingerprints": list(one.fingerprints), "seeds": list(one.seeds)}
            for one in judged
            if one.fingerprints
        }
        content = {"result": result.to_json(), "claims": claims, "records": records, "ledger": self.ledger}
        write_json(self.folder / "unit.json", content)

    def _graded(self) -> tuple[TaskOutcome, list[Item], list[Judged]]:
        request = self.request
        if request.problem is not None:
            return self._refused(*request.problem)
        replaced: list[str] = []
        if request.notebook:
            try:
                clean = sanitise(Path(request.notebook), self.entry, request.limits.notebook_bytes)
            except Refused as refused:
                return self._refused(refused.outcome, refused.reason)
            replaced = replacements(clean.theirs)
            self.reasons += [*clean.notes, *replaced, *hidden_code(clean.theirs)]
            write_text(self.folder / "submitted.ipynb", clean.text)
        ending = Ending("ok", "", 0.0)
        if request.notebook and (request.kind == "notebook" or request.rerun):
            ending = self._run(clean)
        judged = self._judge_bundle() if request.kind == "bundle" else self._judge_run(ending)
        if request.kind == "bundle" and request.rerun and request.notebook:
            self._compare_rerun(judged, self._judge_run(ending), ending)
            ending = Ending("ok", "", ending.seconds)
        elif ending.reason:
            self.reasons.insert(0, ending.reason)
        judged = [
            replace(one, problem=replaced[0]) if replaced and one.state == "reached" and not one.problem else one
            for one in judged
        ]
        exercises = self._judge_exercises() if request.notebook else not_judged(self.entry, "no notebook was handed in")
        exercises = [item for item in exercises if item.kind == "exercise"]
        contradicted = [f"{one.id}: {one.problem}" for one in judged if one.problem]
        self.reasons += contradicted
        items = exercises + [milestone_item(self.entry, one, self.folder / "run") for one in judged]
        return ("tampered" if contradicted or replaced else ending.outcome), items, judged

    def _refused(self, outcome: TaskOutcome, reason: str) -> tuple[TaskOutcome, list[Item], list[Judged]]:
        self.reasons.insert(0, reason)
        return outcome, not_judged(self.entry, reason), []

    def _run(self, clean: Sanitised) -> Ending:
        """Run the notebook, with engines of ours, and take out what it left."""
        request, scratch = self.request, Path(self.request.scratch)
        broker = Broker(self.folder / "engines")
        try:
            models = self._shown_models(clean)
            jail = self._jail(network="shared", reveal=models, environment={"COURSE_ENGINE_BROKER": broker.url})
            parameters = {"quick": True, "seed": request.seed, "run_dir": str(scratch / "run")}
            ending = run_notebook(
                self.folder / "submitted.ipynb",
                self.folder / "executed.ipynb",
                parameters,
                jail,
                request.limits,
                scratch,
            )
        finally:
            broker.stop()
        self.ledger = broker.to_json()
        left_out = collect(scratch / "run", self.folder / "run", request.limits)
        if left_out:
            self.reasons.append(f"not taken from the run folder: {'; '.join(left_out[:3])}")
        return ending

    def _shown_models(self, clean: Sanitised) -> tuple[Path, ...]:
        """Variants of the course model that were made already: the jail sees the grader's."""
        if not self.request.sandbox.namespaces:
            return ()
        models = read_settings().cache / "models"
        models.mkdir(parents=True, exist_ok=True)
        if HEAVY in clean.text:
            catalogue.resolve(HEAVY)
        seen = Path(self.request.scratch) / "home" / ".cache" / "models"
        seen.parent.mkdir(parents=True, exist_ok=True)
        seen.symlink_to(models)
        if (uid := self._jail().uid) is not None:
            os.chown(seen.parent, uid, uid)
        return (models,)

    def _judge_run(self, ending: Ending) -> list[Judged]:
        """The milestones of the run here; one that was not reached for want of an engine is a claim."""
        run = self.folder / "run"
        if (run / "evidence").is_dir():
            judged = judge_milestones(self.entry, run, self.ledger["engines"], self._jail(reveal=(run,)))
            judged = self._with_cells(judged)
        else:
            why = f"no evidence: {self.entry.stem} did not get that far"
            judged = [Judged(one.id, "not-reached", why, "", "", (), ()) for one in self.entry.task.milestones]
        if ending.outcome != "engine-unavailable":
            return judged
        lacking = "no evidence"
        return [
            replace(one, state="not-run", reason=ending.reason) if one.reason.startswith(lacking) else one
            for one in judged
        ]

    def _with_cells(self, judged: list[Judged]) -> list[Judged]:
        """Evidence counts if the cell that writes it ran to its end."""
        ran = cells_that_ran(self.folder / "executed.ipynb")
        why = "there is evidence of it, but the cell that writes it did not run to its end"
        return [
            replace(one, problem=why)
            if one.state == "reached" and self.entry.milestone(one.id).cell_id not in ran and not one.problem
            else one
            for one in judged
        ]

    def _judge_bundle(self) -> list[Judged]:
        target = self.folder / "run"
        left_out = collect(Path(self.request.bundle), target, self.request.limits)
        target.mkdir(parents=True, exist_ok=True)
        if left_out:
            self.reasons.append(f"not taken from the bundle: {'; '.join(left_out[:3])}")
        return judge_milestones(self.entry, target, None, self._jail(reveal=(target,)))

    def _compare_rerun(self, handed_in: list[Judged], here: list[Judged], ending: Ending) -> None:
        """Say what a sample's own run showed; it is for the instructor to conclude."""
        self.reasons.append(f"sample: its notebook was run here too: {ending.outcome} {ending.reason}".rstrip())
        for told, found in zip(handed_in, here, strict=True):
            if told.state == "reached" and found.state == "not-reached":
                self.reasons.append(f"sample: {told.id} is reached in the bundle, not here: {found.reason}")

    def _judge_exercises(self) -> list[Item]:
        private = {exercise: tuple(Case(**case) for case in cases) for exercise, cases in self.request.private.items()}
        notebook = self.folder / "submitted.ipynb"
        return exercise_items(self.entry, notebook, private, self._jail(), self.request.limits.exercise_s)

    def _jail(
        self, *, network: str = "none", reveal: tuple[Path, ...] = (), environment: dict[str, str] | None = None
    ) -> Jail:
        request = self.request
        return make_jail(
            request.sandbox,
            request.limits,
            Path(request.scratch),
            request.slot,
            network=network,
            hide=tuple(Path(path) for path in request.hide),
            reveal=reveal,
            environment=environment,
        )
