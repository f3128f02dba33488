"""Judges a learner's deployment for the capstone's milestone, in a jail without a network beyond its own loopback.

Reads one JSON object, {"task", "folder", "seed"}; writes one, the verdict's fields.
"""

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from helpers.capstone.brief import find_brief
from helpers.capstone.deployment import Deployment, check
from helpers.capstone.judgement import load_judgement
from helpers.capstone.judging import judge
from helpers.course.catalogue import find_task
from helpers.course.files import read_json
from helpers.course.milestones import DAMAGED, evidence_path
from helpers.course.task import Evidence, Milestone, Verdict, not_reached, not_run
from helpers.errors import CourseError, EngineUnavailable
from helpers.grade.replays.brief import MILESTONE, plain_deployment
from helpers.grade.witness import name_problem
from helpers.hardware import choose_profile, read_hardware

ATTEMPTS = 2
"""A busy machine may miss the objective once; what is refused is refused once."""


def handed_in(folder: Path) -> tuple[str, Deployment]:
    """The brief and the deployment of the evidence's first row that was held against today's deployment.

    Raises:
        CourseError: there is none, or it says what a deployment may not say. One of `DAMAGED`: it cannot be read.
    """
    rows = read_json(evidence_path(folder, MILESTONE))["evidence"]["rows"]
    (row, *_) = (row for row in rows if row.get("today"))
    problem = name_problem([row["mine"]])
    if problem:
        raise ValueError(problem)
    mine = load_judgement(folder / row["mine"])
    return mine.brief.name, plain_deployment(mine.deployment)


def play(milestone: Milestone, brief: str, mine: Deployment, seed: int, out: Path) -> Verdict:
    """Judge today's deployment and the learner's under the same load; the task's own judge decides."""
    found = find_brief(brief, choose_profile(read_hardware()))
    check(mine, found)  # what will be refused, before half a minute goes to today's
    today = Deployment.build(**found.default)
    judged = {
        name: judge(brief, one, quick=True, seed=seed, out=out / name)
        for name, one in (("today", today), ("mine", mine))
    }
    row: dict[str, Any] = {"brief": brief, **{name: name for name in judged}}
    row |= {"goodput": judged["mine"].goodput_per_s, "score": judged["mine"].score}
    return milestone.judge(Evidence({"rows": [row]}, out))


def verdict_on(milestone: Milestone, folder: Path, seed: int, out: Path) -> Verdict:
    """The verdict on what a run folder holds; judgements are kept below `out`."""
    verdict = not_reached("nothing was judged")
    try:
        brief, mine = handed_in(folder)
        for attempt in range(ATTEMPTS):
            verdict = play(milestone, brief, mine, seed, out / str(attempt))
            if verdict.state == "reached":
                return verdict
    except EngineUnavailable as missing:
        return not_run(f"an engine that can start here: {missing.what}")
    except CourseError as error:
        return not_reached(f"the grader's own judgement: {error.what}")
    except DAMAGED as error:
        return not_reached(f"the deployment cannot be read: {type(error).__name__}: {error}")
    return not_reached(f"in the grader's own judgement: {verdict.reason}", **verdict.numbers)


def main() -> None:
    """Answer the request."""
    asked = json.loads(sys.stdin.buffer.read())
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    milestone = find_task(asked["task"]).milestone(MILESTONE)
    verdict = verdict_on(milestone, Path(asked["folder"]), asked["seed"], Path("judged").absolute())
    with answer:
        json.dump(asdict(verdict), answer)


if __name__ == "__main__":
    main()
