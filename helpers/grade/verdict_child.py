"""The child of `helpers.grade.verdicts`: judges milestones from a run folder, in a jail that holds that folder.

Trusted code on files that nobody can trust: the jail bounds its memory and time, and no name in the evidence leads
anywhere else. Reads a request from standard input, writes one JSON object.
"""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from helpers.bench.bundle import Bundle, load_bundle
from helpers.course.catalogue import Entry, find_task
from helpers.course.files import read_json
from helpers.course.milestones import DAMAGED, evidence_path, judge_folder, read_backend
from helpers.course.task import Milestone
from helpers.grade import witness

MOST_REMARKS = 5
LONGEST_LINE = 400
"""Characters of what quotes the evidence."""


def judge(entry: Entry, milestone: Milestone, folder: Path, engines: list[Mapping[str, Any]] | None) -> dict[str, Any]:
    """The verdict on one milestone, and what contradicts it.

    Args:
        entry: the task.
        milestone: one of its milestones.
        folder: the run folder.
        engines: those that the grader started for this run; None if the run was handed in as a bundle.
    """
    verdict = judge_folder(entry, milestone, folder)
    told: dict[str, Any] = {"id": milestone.id, "state": verdict.state, "reason": verdict.reason, "problem": ""}
    told |= {"backend": read_backend(folder, milestone.id)[:200], "fingerprints": [], "seeds": [], "remarks": []}
    if verdict.state != "reached":
        return told
    try:
        content = read_json(evidence_path(folder, milestone.id))
        names = sorted(set(witness.named_bundles(content["evidence"])))
        problem = witness.name_problem(names)
        bundles = {} if problem else {name: load_bundle(folder / name) for name in names}
        problem = problem or contradiction(milestone.id, content["evidence"], folder, bundles, engines)
    except DAMAGED as error:
        return told | {"problem": _line(f"the evidence cannot be checked: {type(error).__name__}: {error}")}
    runs = [run for bundle in bundles.values() for run in bundle.runs]
    remarks = list(dict.fromkeys(_line(f"{run.label}: {remark}") for run in runs for remark in run.remarks))
    seeds = sorted({str(run.workload.seed) for run in runs})
    prints = witness.fingerprints(bundles)
    checked = {"problem": _line(problem), "fingerprints": prints, "seeds": seeds, "remarks": remarks[:MOST_REMARKS]}
    return told | checked


def contradiction(
    milestone_id: str, data: Any, folder: Path, bundles: Mapping[str, Bundle], engines: list[Mapping[str, Any]] | None
) -> str:
    """What contradicts the evidence; empty if nothing does."""
    if engines is not None:
        problem = witness.engine_problem(bundles, engines) or witness.unseen_problem(milestone_id, bundles, engines)
    else:
        problems = (witness.bundle_problem(folder / name, bundle) for name, bundle in bundles.items())
        problem = next(filter(None, problems), "")
    if not problem and isinstance(data, Mapping) and "races" in data:
        problem = witness.races_problem(data)
    return problem


def _line(text: str) -> str:
    return " ".join(text.split())[:LONGEST_LINE]


def main() -> None:
    """Answer the request."""
    request = json.loads(sys.stdin.buffer.read())
    # What the judges and libraries print must not get between the answer.
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    entry, folder = find_task(request["task"]), Path(request["folder"])
    told = [judge(entry, milestone, folder, request["engines"]) for milestone in entry.task.milestones]
    with answer:
        json.dump(told, answer)


if __name__ == "__main__":
    main()
