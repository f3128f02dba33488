"""Milestones judged outside the notebook, in a jailed child, from what it left; with the grader's own witnesses.

A state of not-run is a claim: whether it could not be run here is for the grader to say (`helpers.grade.claims`).
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from helpers.config import ROOT
from helpers.course.catalogue import Entry
from helpers.course.milestones import evidence_path
from helpers.course.task import State
from helpers.grade.jail import Jail
from helpers.grade.judging import MAX_POINTS
from helpers.grade.results import Item

TIME_LIMIT_S = 120.0
LARGEST_ANSWER_BYTES = 20_000_000


@dataclass(frozen=True, slots=True)
class Judged:
    """A milestone as the child judged it.

    Attributes:
        problem: what contradicts the evidence; empty if nothing does.
        fingerprints: names of the answers' times, the same in two units only if one was copied.
        seeds: of the prompts in the bundles that the evidence names.
        remarks: what the runs say of themselves, such as who else used the machine meanwhile, by its lease board.
    """

    id: str
    state: State
    reason: str
    backend: str
    problem: str
    fingerprints: tuple[str, ...]
    seeds: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


def judge_milestones(entry: Entry, folder: Path, engines: Sequence[dict[str, Any]] | None, jail: Jail) -> list[Judged]:
    """Judge every milestone of a task from a run folder.

    Args:
        entry: the task.
        folder: the run folder; `jail` must show it.
        engines: those that the grader started; None for a run that was handed in.
        jail: where the child runs.
    """
    request = {"task": entry.stem, "folder": str(folder), "engines": engines}
    command = jail.command(sys.executable, "-m", "helpers.grade.verdict_child")
    try:
        done = subprocess.run(
            command,
            input=json.dumps(request).encode(),
            capture_output=True,
            timeout=TIME_LIMIT_S,
            check=False,
            cwd=ROOT,
        )
        told = json.loads(done.stdout[:LARGEST_ANSWER_BYTES])
    except subprocess.TimeoutExpired:
        return _unjudged(entry, f"the evidence could not be judged within {TIME_LIMIT_S:g} s")
    except ValueError:
        words = done.stderr.decode(errors="replace").strip().splitlines()
        return _unjudged(entry, f"the evidence could not be judged: {words[-1][:200] if words else done.returncode}")
    lists = ("fingerprints", "seeds", "remarks")
    return [Judged(**{**one, **{name: tuple(one[name]) for name in lists}}) for one in told]


def milestone_item(entry: Entry, judged: Judged, folder: Path) -> Item:
    """The item of a judged milestone; a claim of not-run still has its full points to win."""
    milestone = entry.milestone(judged.id)
    evidence = evidence_path(Path(folder.name), judged.id)
    item = Item(judged.id, "milestone", milestone.title, 0.0, MAX_POINTS, judged.state, evidence=str(evidence))
    if judged.problem:
        return replace(item, state="not-reached", message=judged.problem, hint="evidence and records must agree")
    if judged.state == "reached":
        return replace(item, points=MAX_POINTS, message=f"reached ({judged.backend})" if judged.backend else "reached")
    return replace(item, message=" ".join(judged.reason.split())[:400])


def _unjudged(entry: Entry, reason: str) -> list[Judged]:
    return [Judged(one.id, "not-reached", reason, "", "", ()) for one in entry.task.milestones]
