"""The leaderboard: judgements of a class, from the folders that learners hand over; names of those who gave one."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from helpers.capstone.judgement import RECORD, Judgement, load_judgement
from helpers.errors import CourseError, MissingError

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
    judged: list[tuple[Path, Judgement]] = []
    unreadable = {}
    for folder in found:
        try:
            judgement = load_judgement(folder)
            judgement.score  # noqa: B018 - computed here, so that a damaged record is left out and not fatal
            judged.append((folder, judgement))
        except (CourseError, ValueError) as error:
            unreadable[str(folder)] = " ".join(str(error).split())
    if not judged:
        raise MissingError("there is no judgement to rank", "no folder holds one", "./course judge chat --out DIR")
    judged.sort(key=lambda pair: (pair[1].brief.name, pair[1].brief.profile, -pair[1].score))
    rows: list[dict[str, Any]] = []
    for folder, judgement in judged:
        key = (judgement.brief.name, judgement.brief.profile)
        rank = 1 + sum((row["brief"], row["profile"]) == key for row in rows)
        rows.append(
            {
                "brief": key[0],
                "profile": key[1],
                "rank": rank,
                "name": judgement.deployment.name or ANONYMOUS,
                "score": judgement.score,
                "goodput": judgement.goodput_per_s,
                "slo_met": judgement.slo_met,
                "quality": judgement.quality,
                "eur_per_1000": judgement.cost.eur_per_1000_good,
                "deployment": ", ".join(f"{name}={value}" for name, value in judgement.deployment.decisions.items()),
                "origin": judgement.origin,
                "bundle": str(folder),
            }
        )
    return Leaderboard(tuple(rows), unreadable)
