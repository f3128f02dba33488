"""A learner's page: what holds, what does not, the likely mistake, and what to do next.

It holds nothing private: messages come from the visible cases and from the diagnoses of planted mistakes, and it
shows neither other learners nor what a private case asked.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from helpers.course.catalogue import find_tasks
from helpers.grade.marks import Mark
from helpers.grade.pages import GOOD, link, write_page
from helpers.grade.results import safe_name, unit_folder


def feedback_path(out: Path, learner: str) -> Path:
    """Where a learner's page lies."""
    return out / "feedback" / f"{safe_name(learner)}.html"


def write_feedback(out: Path, learner: str, marks: Sequence[Mark]) -> Path:
    """Write the page of one learner and return its path."""
    path = feedback_path(out, learner)
    items = [item for mark in marks for item in mark.result.items]
    return write_page(
        path,
        "feedback.html.jinja",
        learner=learner,
        total=sum(mark.total for mark in marks),
        max_points=sum(mark.max_points for mark in marks),
        counts={
            kind: (
                sum(item.state in GOOD for item in items if item.kind == kind),
                sum(item.max_points > 0 for item in items if item.kind == kind),
            )
            for kind in ("exercise", "milestone")
        },
        tasks=[_task(out, path.parent, mark) for mark in marks],
    )


def _task(out: Path, here: Path, mark: Mark) -> dict[str, Any]:
    result = mark.result
    executed = unit_folder(out, result.learner, result.task) / "executed.ipynb"
    entry = next((entry for entry in find_tasks() if entry.stem == result.task), None)
    return {
        "title": f"Task {entry.name}: {entry.task.title}" if entry else result.task,
        "check": f"./course check {entry.name}" if entry else "",
        "mark": mark,
        "result": result,
        "notebook": link(Path(os.path.relpath(executed, here))) if executed.exists() else "",
        "next": next((item for item in result.items if item.kind == "exercise" and item.state not in GOOD), None),
    }
