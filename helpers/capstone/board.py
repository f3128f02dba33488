"""The leaderboard: judgements of a class, from the folders that learners hand over; names of those who gave one."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from helpers.capstone.judgement import RECORD, Judgement, load_judgement
from helpers.course.milestones import DAMAGED
from helpers.errors import MissingError

ANONYMOUS = "anonymous"


@dataclass(frozen=True, slots=True)
class Leaderboard:
    """Judgements in order, the best of each brief first.

    Attributes:
        rows: {brief, rank, name, score, goodput, slo_met, quality, eur_per_1000, deployment, origin, bundle}.
        unreadable: folder -> why it was left out.
    """

    rows: tuple[dict[str, Any], ...]
    unreadable: dict[str, str]

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return {"rows": list(self.rows), "unreadable": self.unreadable}


def leaderboard(folders: Iterable[Path]) -> Leaderboard:
    """Read all judgements below the folders; every score is computed anew from the records.

    Raises:
        MissingError: there is none.
    """
    found = sorted({path.parent for folder in folders for path in folder.rglob(RECORD)})
    rows: list[dict[str, Any]] = []
    unreadable = {}
    for folder in found:
        try:
            rows.append(_row(folder, load_judgement(folder)))
        except DAMAGED as error:
            unreadable[str(folder)] = " ".join(str(error).split()) or type(error).__name__
    if not rows:
        raise MissingError("there is no judgement to rank", "no folder holds one", "./course judge chat --out DIR")
    rows.sort(key=lambda row: (row["brief"], row["profile"], -row["score"]))
    for key in {(row["brief"], row["profile"]) for row in rows}:
        same = [row for row in rows if (row["brief"], row["profile"]) == key]
        for rank, row in enumerate(same, start=1):
            row["rank"] = rank
    return Leaderboard(tuple(rows), unreadable)


def _row(folder: Path, judgement: Judgement) -> dict[str, Any]:
    """All that is shown, so that a damaged record is left out here and not fatal later."""
    score, goodput = judgement.score, judgement.goodput_per_s
    if not isfinite(score) or not isfinite(goodput):
        raise ValueError("its figures are no numbers")
    return {
        "brief": judgement.brief.name,
        "profile": judgement.brief.profile,
        "rank": 0,
        "name": judgement.deployment.name or ANONYMOUS,
        "score": score,
        "goodput": goodput,
        "slo_met": judgement.slo_met,
        "quality": judgement.quality,
        "eur_per_1000": judgement.cost.eur_per_1000_good,
        "deployment": ", ".join(f"{name}={value}" for name, value in judgement.deployment.decisions.items()),
        "origin": judgement.origin,
        "bundle": str(folder),
    }
