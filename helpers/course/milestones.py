"""Milestones: evidence goes to a file, a pure function judges the file, the notebook shows the verdict.

The file is `run_dir/evidence/ID.json`: {milestone, evidence, backend, provenance}. It holds no verdict: whoever
wants one (the notebook, `course run`, `course status`, a grader) judges the file again.
"""

import itertools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from helpers.bench.provenance import read_provenance
from helpers.config import ROOT
from helpers.course.catalogue import Entry, find_milestone
from helpers.course.files import read_json, write_json
from helpers.course.task import Evidence, Milestone, Verdict, not_reached, not_run
from helpers.errors import CourseError, UsageError

DAMAGED = (ArithmeticError, AttributeError, CourseError, LookupError, OSError, RecursionError, TypeError, ValueError)
"""What a judge raises on evidence that somebody damaged."""


class MilestoneDisplay:
    """A verdict as the notebook shows it: the line as text, the numbers beside it as metadata."""

    def __init__(self, milestone: Milestone, verdict: Verdict, backend: str, provenance: Mapping[str, Any]) -> None:
        self.verdict = verdict
        self._text = milestone.text(verdict)
        self._metadata = {
            "milestone": milestone.id,
            "state": verdict.state,
            "numbers": dict(verdict.numbers),
            "backend": backend,
            "provenance": dict(provenance),
        }

    def __repr__(self) -> str:
        return self._text

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, str], dict[str, Any]]:
        return {"text/plain": self._text}, self._metadata


def milestone(
    milestone_id: str, evidence: Mapping[str, Any] | None, *, run_dir: str | Path, backend: str = ""
) -> MilestoneDisplay:
    """Write a milestone's evidence and judge it.

    Args:
        milestone_id: for example `12.1.report`.
        evidence: JSON values: raw records, or names of bundles relative to run_dir; None if it could not be run here.
        run_dir: the run folder, as `run_folder` returned it.
        backend: engine, version, model, hardware in one line.

    Returns:
        What the notebook shows when the call is the cell's last line.

    Raises:
        UsageError: there is no such milestone, or the evidence is not JSON.
    """
    entry, definition = find_milestone(milestone_id)
    content = {
        "milestone": milestone_id,
        "evidence": None if evidence is None else dict(evidence),
        "backend": backend,
        "provenance": {fact: value for fact, value in read_provenance(seed=0).items() if fact != "seed"},
    }
    try:
        content = json.loads(json.dumps(content))
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"the evidence of {milestone_id} is not JSON: {error}",
            "evidence holds numbers, strings, lists and dictionaries; bundles are named by their folder",
        ) from error
    folder = run_folder(run_dir)
    write_json(evidence_path(folder, milestone_id), content)
    return MilestoneDisplay(definition, judge_folder(entry, definition, folder), backend, content["provenance"])


def run_folder(run_dir: str | Path) -> Path:
    """Make a run folder; a relative one lies in the clone, wherever the kernel was started."""
    folder = ROOT / run_dir
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def new_folder(run_dir: Path, name: str) -> Path:
    """A path in a run folder where nothing is yet: `name`, or `name-2`, `name-3` ... when a cell is run again."""
    names = itertools.chain([name], (f"{name}-{number}" for number in itertools.count(2)))
    return next(run_dir / free for free in names if not (run_dir / free).exists())


def evidence_path(folder: Path, milestone_id: str) -> Path:
    """Where a run folder keeps a milestone's evidence."""
    return folder / "evidence" / f"{milestone_id}.json"


def judge_folder(entry: Entry, definition: Milestone, folder: Path) -> Verdict:
    """Judge a milestone from a run folder; without an evidence file it is not reached."""
    try:
        content = read_json(evidence_path(folder, definition.id))
        if content is None:
            return not_reached(f"no evidence: {entry.stem} did not get that far")
        if content["milestone"] != definition.id:
            return not_reached(f"the evidence is that of milestone {content['milestone']}")
        if content["evidence"] is None:
            return not_run(definition.needs)
        return definition.judge(Evidence(content["evidence"], folder, content["backend"]))
    except DAMAGED as error:
        return not_reached(f"the evidence cannot be read: {type(error).__name__}: {error}")


def read_backend(folder: Path, milestone_id: str) -> str:
    """The backend an evidence file names; empty without a readable file."""
    try:
        content = read_json(evidence_path(folder, milestone_id)) or {}
    except (RecursionError, ValueError):
        return ""
    return str(content.get("backend", "")) if isinstance(content, dict) else ""
