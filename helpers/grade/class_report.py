"""The class at a glance: what needs a person's look, totals, what each item shows, common mistakes, times, likeness."""

import statistics
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from helpers.course.catalogue import find_tasks
from helpers.grade.feedback import feedback_path
from helpers.grade.marks import Mark, by_learner
from helpers.grade.pages import link, write_page
from helpers.grade.results import Item, unit_folder
from helpers.grade.similarity import Pair, find_similar

BANDS = 10
"""Columns of the distribution, a tenth of the points each."""

MOST_MISTAKES = 25
"""Rows of the table of mistakes; all of them stand in grades.csv."""

NOTEBOOKS = ("submitted.ipynb", "executed.ipynb")
"""Compared for likeness: the first of these that a unit has."""


@dataclass(frozen=True, slots=True)
class ItemStatistics:
    """One item over the class.

    Attributes:
        counts: learners by state.
        mean: mean share of the points, over those who could have them; None if nobody could.
        separation: correlation of this item's share with the share of all others of its task, -1 to 1: near 0 or
            below, the item does not tell strong from weak learners; None where it cannot be computed.
    """

    item: Item
    counts: Counter[str]
    mean: float | None
    separation: float | None


def write_class_report(out: Path, marks: Sequence[Mark]) -> Path:
    """Write OUT/class.html and return its path."""
    learners = by_learner(marks)
    tasks = sorted({mark.result.task for mark in marks})
    shares = [
        sum(mark.total for mark in mine) / most
        for mine in learners.values()
        if (most := sum(m.max_points for m in mine))
    ]
    pairs = similar_submissions(out, marks)
    titles = {entry.stem: f"Task {entry.name}: {entry.task.title}" for entry in find_tasks()}
    return write_page(
        out / "class.html",
        "class.html.jinja",
        learners=[_row(out, learner, mine, tasks) for learner, mine in learners.items()],
        tasks=[(task, titles.get(task, task)) for task in tasks],
        short={task: titles.get(task, task).partition(":")[0] for task in tasks},
        units=len(marks),
        median=statistics.median(shares) if shares else None,
        bands=_distribution(shares),
        looks=[mark for mark in marks if needs_look(mark)],
        outcomes=Counter(mark.result.outcome for mark in marks),
        items={task: item_statistics([mark for mark in marks if mark.result.task == task]) for task in tasks},
        mistakes=common_mistakes(marks),
        most_mistakes=MOST_MISTAKES,
        times=[_times(task, marks) for task in tasks],
        pairs=pairs,
    )


def needs_look(mark: Mark) -> bool:
    """True if a person should see this unit: it did not end well, nothing of it was judged, or cells were restored.

    A notebook that stops at an error says so in its first reason; that is common and no reason to look.
    """
    result = mark.result
    if result.outcome not in ("ok", "error"):
        return True
    judged = [item for item in result.items if item.kind == "exercise" and item.state != "not-run"]
    return not judged or len(result.reasons) > (result.outcome == "error")


def item_statistics(marks: Sequence[Mark]) -> list[ItemStatistics]:
    """Statistics of each item of one task, in the task's order."""
    by_id: dict[str, list[tuple[Item, float, float]]] = defaultdict(list)
    for mark in marks:
        for item in mark.result.items:
            by_id[item.id].append((item, mark.points - item.points, mark.max_points - item.max_points))
    found = []
    for rows in by_id.values():
        counted = [(item.points / item.max_points, rest, most) for item, rest, most in rows if item.max_points]
        own = [share for share, _, _ in counted]
        others = [rest / most if most else 0.0 for _, rest, most in counted]
        found.append(
            ItemStatistics(
                rows[0][0],
                Counter(item.state for item, _, _ in rows),
                statistics.fmean(own) if own else None,
                _correlation(own, others),
            )
        )
    return found


def common_mistakes(marks: Sequence[Mark]) -> list[tuple[str, str, list[str]]]:
    """Planted mistakes that learners made: (item, diagnosis, learners), the most common first."""
    made: dict[tuple[str, str], list[str]] = defaultdict(list)
    for mark in marks:
        for item in mark.result.items:
            if item.mistake:
                made[item.id, item.mistake].append(mark.result.learner)
    ordered = sorted(made.items(), key=lambda entry: (-len(entry[1]), entry[0]))
    return [(item, mistake, sorted(learners)) for (item, mistake), learners in ordered]


def similar_submissions(out: Path, marks: Sequence[Mark]) -> list[Pair]:
    """Pairs of notebooks that are alike, over all tasks, the most alike first."""
    notebooks: dict[str, dict[str, Path]] = defaultdict(dict)
    for mark in marks:
        folder = unit_folder(out, mark.result.learner, mark.result.task)
        kept = next((folder / name for name in NOTEBOOKS if (folder / name).exists()), None)
        if kept is not None:
            notebooks[mark.result.task][mark.result.learner] = kept
    entries = [entry for entry in find_tasks() if entry.stem in notebooks]
    pairs = [pair for entry in entries for pair in find_similar(entry, notebooks[entry.stem])]
    return sorted(pairs, key=lambda pair: -pair.share)


def _row(out: Path, learner: str, marks: Sequence[Mark], tasks: Sequence[str]) -> dict[str, Any]:
    by_task = {mark.result.task: mark for mark in marks}
    return {
        "learner": learner,
        "page": link(feedback_path(out, learner).relative_to(out)),
        "marks": [by_task.get(task) for task in tasks],
        "total": sum(mark.total for mark in marks),
        "penalty": sum(mark.penalty for mark in marks),
        "max_points": sum(mark.max_points for mark in marks),
    }


def _distribution(shares: Sequence[float]) -> list[tuple[str, int]]:
    counts = Counter(min(BANDS - 1, int(share * BANDS)) for share in shares)
    return [(f"{100 * band // BANDS} to {100 * (band + 1) // BANDS} %", counts[band]) for band in range(BANDS)]


def _times(task: str, marks: Sequence[Mark]) -> dict[str, Any]:
    mine = sorted((mark.result for mark in marks if mark.result.task == task), key=lambda result: result.seconds)
    seconds = [result.seconds for result in mine]
    return {"task": task, "median_s": statistics.median(seconds), "sum_s": sum(seconds), "longest": mine[-1]}


def _correlation(one: Sequence[float], other: Sequence[float]) -> float | None:
    if len(one) < 3 or len(set(one)) < 2 or len(set(other)) < 2:
        return None
    return statistics.correlation(one, other)
