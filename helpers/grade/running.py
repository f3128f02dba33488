"""A unit's notebook run here: in a jail, with engines of the grader's, its milestones judged from what it left."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from helpers.course.catalogue import Entry
from helpers.course.execution import Ending
from helpers.course.files import write_json
from helpers.grade.broker import Broker
from helpers.grade.execution import collect, run_notebook
from helpers.grade.models import HEAVY, show_models
from helpers.grade.replays import REPLAYS
from helpers.grade.request import NOTEBOOK, VERDICT, UnitRequest
from helpers.grade.results import replay_path
from helpers.grade.tampering import cells_that_ran
from helpers.grade.verdicts import Judged, judge_milestones

NO_EVIDENCE = "no evidence"


@dataclass(frozen=True, slots=True)
class Ran:
    """A run of a notebook.

    Attributes:
        ending: how it ended.
        ledger: the engines that were started for it, and what was refused.
        left_out: what was not taken from its run folder.
    """

    ending: Ending
    ledger: Mapping[str, Any]
    left_out: Sequence[str]


def run_submission(request: UnitRequest, folder: Path, into: Path) -> Ran:
    """Run submitted.ipynb of a unit's folder, which leaves executed.ipynb and engines/ there.

    Args:
        request: the unit.
        folder: the unit's folder.
        into: gets the files that the notebook left.
    """
    scratch = Path(request.scratch, NOTEBOOK)
    broker = Broker(folder / "engines")
    try:
        text = (folder / "submitted.ipynb").read_text(encoding="utf-8")
        models = show_models(request, NOTEBOOK, heavy=HEAVY in text)
        environment = {"COURSE_ENGINE_BROKER": broker.url}
        jail = request.jail(NOTEBOOK, network="shared", reveal=models, environment=environment)
        ending = run_notebook(
            folder / "submitted.ipynb",
            folder / "executed.ipynb",
            {"quick": True, "seed": request.seed, "run_dir": str(scratch / "run")},
            jail,
            request.limits,
            scratch,
        )
    finally:
        broker.stop()
    return Ran(ending, broker.to_json(), collect(scratch / "run", into, request.limits))


def judge_run(entry: Entry, request: UnitRequest, folder: Path, into: Path, ran: Ran) -> list[Judged]:
    """The milestones of a run here; one that was not reached for want of an engine is a claim."""
    if (into / "evidence").is_dir():
        judged = judge_milestones(entry, into, ran.ledger["engines"], request.jail(VERDICT, reveal=(into,)))
        judged = _only_where_cells_ran(entry, judged, cells_that_ran(folder / "executed.ipynb"))
        judged = [_played_again(entry, request, into, one) for one in judged]
    else:
        why = f"{NO_EVIDENCE}: {entry.stem} did not get that far"
        judged = [Judged(one.id, "not-reached", why, "", "", ()) for one in entry.task.milestones]
    if ran.ending.outcome != "engine-unavailable":
        return judged
    return [
        replace(one, state="not-run", reason=ran.ending.reason) if one.reason.startswith(NO_EVIDENCE) else one
        for one in judged
    ]


def _played_again(entry: Entry, request: UnitRequest, into: Path, judged: Judged) -> Judged:
    """What the notebook saw of itself is seen again by us; our verdict is kept, with its numbers."""
    play = REPLAYS.get(judged.id)
    if play is None or judged.state != "reached" or judged.problem:
        return judged
    verdict = play(entry, request, into)
    write_json(replay_path(into, judged.id), asdict(verdict))
    return replace(judged, state=verdict.state, reason=verdict.reason)


def _only_where_cells_ran(entry: Entry, judged: Sequence[Judged], ran: set[str]) -> list[Judged]:
    """Evidence counts if the cell that writes it ran to its end."""
    why = "there is evidence of it, but the cell that writes it did not run to its end"
    return [
        replace(one, problem=why)
        if one.state == "reached" and entry.milestone(one.id).cell_id not in ran and not one.problem
        else one
        for one in judged
    ]
