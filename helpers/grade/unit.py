"""One work unit from what was handed in to its result; runs in a process of its own (`helpers.grade.unit_child`).

    sanitised -> exercises judged -> run in a jail -> files taken out -> milestones judged, played again -> unit.json

    OUT/units/LEARNER/TASK/unit.json         {result, claims, records, ledger, run_s}: what this unit alone can say
    OUT/units/LEARNER/TASK/submitted.ipynb   the notebook as it was run
    OUT/units/LEARNER/TASK/executed.ipynb    with its outputs
    OUT/units/LEARNER/TASK/run/              what it left, or what was handed in: evidence, bundles, reports
    OUT/units/LEARNER/TASK/rerun/            what the notebook of a bundle in the sample left here
    OUT/units/LEARNER/TASK/engines/          the logs of the grader's engines
    OUT/units/LEARNER/TASK/replays/          the grader's own verdicts on what it played again, with their numbers

What needs the whole class, claims of not-run and copied records, is settled afterwards (`helpers.grade.claims`).
"""

import math
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from helpers.course.catalogue import Entry, find_task
from helpers.course.execution import Ending, TaskOutcome
from helpers.course.files import write_json, write_text
from helpers.course.task import Case
from helpers.grade.execution import collect
from helpers.grade.guard import Guard
from helpers.grade.judging import exercise_items, not_judged
from helpers.grade.request import EXERCISES, VERDICT, UnitRequest
from helpers.grade.results import Item, Result, unit_folder
from helpers.grade.running import Ran, judge_run, run_submission
from helpers.grade.sanitise import Refused, sanitise
from helpers.grade.tampering import hidden_code, replacements
from helpers.grade.verdicts import Judged, judge_milestones, milestone_item

KEPT = ("submitted.ipynb", "executed.ipynb", "run", "rerun", "engines", "replays")


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
        self.ledger: Mapping[str, Any] = {"engines": [], "refused": []}
        self.run_s = 0.0

    def grade(self) -> None:
        """Do all of it, and write unit.json last."""
        started = time.monotonic()
        for name in KEPT:
            path = self.folder / name
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        try:
            outcome, items, judged = self._graded()
        except Refused as refused:
            self.reasons.insert(0, refused.reason)
            outcome, items, judged = refused.outcome, not_judged(self.entry, refused.reason), []
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
        records = {
            one.id: {"fingerprints": list(one.fingerprints), "seeds": list(one.seeds)}
            for one in judged
            if one.fingerprints
        }
        content = {
            "result": result.to_json(),
            "claims": [one.id for one in judged if one.state == "not-run" and not one.problem],
            "records": records,
            "ledger": self.ledger,
            "run_s": self.run_s,
        }
        write_json(self.folder / "unit.json", content)

    def _graded(self) -> tuple[TaskOutcome, list[Item], list[Judged]]:
        request = self.request
        if request.problem is not None:
            raise Refused(*request.problem)
        replaced: list[str] = []
        exercises = not_judged(self.entry, "no notebook was handed in")
        if request.notebook:
            exercises, replaced = self._judge_exercises()
        if request.kind == "bundle":
            outcome, judged = self._judge_bundle()
        else:
            ran = self._run("run")
            outcome, judged = ran.ending.outcome, judge_run(self.entry, request, self.folder, self.folder / "run", ran)
            if ran.ending.reason:
                self.reasons.insert(0, ran.ending.reason)
        judged = [
            replace(one, problem=replaced[0]) if replaced and one.state == "reached" and not one.problem else one
            for one in judged
        ]
        contradicted = [f"{one.id}: {one.problem}" for one in judged if one.problem]
        self.reasons += contradicted
        items = [item for item in exercises if item.kind == "exercise"]
        items += [milestone_item(self.entry, one, self.folder / "run") for one in judged]
        return ("tampered" if contradicted or replaced else outcome), items, judged

    def _judge_exercises(self) -> tuple[list[Item], list[str]]:
        """Exercises need no kernel; also returns what the notebook replaces of the library."""
        request, path = self.request, Path(self.request.notebook)
        most_bytes = request.limits.notebook_bytes
        clean = sanitise(path, self.entry, most_bytes)
        write_text(self.folder / "submitted.ipynb", clean.text)
        private = {exercise: tuple(Case(**case) for case in cases) for exercise, cases in request.private.items()}
        pid_file = Path(request.scratch, "exercises.pid")
        jail = replace(request.jail(EXERCISES), pid_file=str(pid_file))
        limits = replace(request.limits, notebook_s=math.inf)  # each exercise has its own time
        folders = tuple(Path(folder) for folder in jail.write)
        with Guard(limits, pid_file, folders, one_after_another=True) as guard:
            guard.cell = EXERCISES
            items = exercise_items(self.entry, self.folder / "submitted.ipynb", private, jail, limits.exercise_s)
        if guard.ending is not None:
            self.reasons.append(guard.ending[1])
        if all(item.state == "not-written" for item in items):
            # Nobody began this lab: it stops at its first check, before it has engines started for nothing.
            write_text(self.folder / "submitted.ipynb", sanitise(path, self.entry, most_bytes, checks=True).text)
        replaced = replacements(clean.theirs)
        self.reasons += [*clean.notes, *replaced, *hidden_code(clean.theirs)]
        return items, replaced

    def _run(self, name: str) -> Ran:
        ran = run_submission(self.request, self.folder, self.folder / name)
        self.ledger, self.run_s = ran.ledger, ran.ending.seconds
        self._tell_left_out("the run folder", ran.left_out)
        return ran

    def _judge_bundle(self) -> tuple[TaskOutcome, list[Judged]]:
        """A run that was handed in; if it is in the sample, its notebook is run here too."""
        request, target = self.request, self.folder / "run"
        target.mkdir(parents=True, exist_ok=True)
        self._tell_left_out("the bundle", collect(Path(request.bundle), target, request.limits))
        judged = judge_milestones(self.entry, target, None, request.jail(VERDICT, reveal=(target,)))
        self.reasons += [f"{one.id}: {remark}" for one in judged for remark in one.remarks]
        if request.rerun and request.notebook:
            ran = self._run("rerun")
            here = judge_run(self.entry, request, self.folder, self.folder / "rerun", ran)
            self._tell_sample(judged, here, ran.ending)
        return "ok", judged

    def _tell_sample(self, handed_in: Sequence[Judged], here: Sequence[Judged], ending: Ending) -> None:
        """What a sample's own run showed; it is for the instructor to conclude."""
        self.reasons.append(f"sample: its notebook was run here too: {ending.outcome} {ending.reason}".rstrip())
        for told, found in zip(handed_in, here, strict=True):
            if told.state == "reached" and found.state == "not-reached":
                self.reasons.append(f"sample: {told.id} is reached in the bundle, not here: {found.reason}")

    def _tell_left_out(self, source: str, left_out: Sequence[str]) -> None:
        if left_out:
            self.reasons.append(f"not taken from {source}: {'; '.join(left_out[:3])}")
