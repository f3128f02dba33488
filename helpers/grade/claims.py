"""What one unit cannot settle alone: claims that something could not be run here, and records that two handed in.

- A milestone of state not-run costs nothing if it could not be run here: the grader itself refused an engine for it, or
  the task's own solution, run here as the reference, says the same. Else it was not reached.
- Times that agree in microseconds were measured once. They belong to the one learner whose seed all copies carry (a
  seed can be written over, but not in somebody else's copy); where no seed tells, nobody gets or loses points by them,
  and the instructor decides. Those of the course's recorded runs are nobody's.
"""

import functools
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from helpers.bench.bundle import RECORDS, load_bundle
from helpers.config import ROOT
from helpers.course.catalogue import find_task
from helpers.grade.results import Item, Result
from helpers.grade.witness import fingerprints

RECORDED = "the course's recorded runs"
COPIED_SHARE = 0.2
"""Of a milestone's answers; chance gives none."""

Reference = Callable[[str], Mapping[str, str]]
"""Task -> the state of each milestone when its solution is run here."""


@dataclass(frozen=True, slots=True)
class UnitFacts:
    """A unit as its own process left it.

    Attributes:
        claims: milestones that say they could not be run here.
        records: milestone -> {fingerprints, seeds} of what its evidence rests on.
        refused: what the grader could not start for it.
    """

    result: Result
    claims: tuple[str, ...]
    records: Mapping[str, Mapping[str, Sequence[str]]]
    refused: tuple[str, ...]

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "UnitFacts":
        """Read unit.json's content.

        Raises:
            TypeError, KeyError: it is none.
        """
        result, refused = Result.from_json(value["result"]), tuple(value["ledger"]["refused"])
        return cls(result, tuple(value["claims"]), value["records"], refused)


def settle(units: Sequence[UnitFacts], reference: Reference) -> list[Result]:
    """The final results, in order.

    Args:
        units: of the whole class.
        reference: asked only for tasks in which a claim needs it.
    """
    copies = find_copies(units)
    results = []
    for unit in units:
        result = unit.result
        items = tuple(_settled(unit, item, reference, copies.get(result.learner, {})) for item in result.items)
        copied = [item.message for item in items if item.id in copies.get(result.learner, {})]
        stolen = any(item.id in copies.get(result.learner, {}) and item.max_points > 0 for item in items)
        outcome = "tampered" if stolen else result.outcome
        results.append(replace(result, items=items, outcome=outcome, reasons=(*result.reasons, *copied)))
    return results


def find_copies(units: Sequence[UnitFacts]) -> dict[str, dict[str, tuple[str, bool]]]:
    """Learner -> milestone -> (who has the same records, whether those are known to be the owner).

    The owner of a set of records is not in it.
    """
    holders: dict[tuple[str, str], set[int]] = defaultdict(set)
    for number, unit in enumerate(units):
        for milestone, record in unit.records.items():
            for name in record["fingerprints"]:
                holders[milestone, name].add(number)
    shared: dict[tuple[str, int], dict[int, int]] = defaultdict(lambda: defaultdict(int))
    for (milestone, _), numbers in holders.items():
        for one in numbers if len(numbers) > 1 else ():
            for other in numbers - {one}:
                if units[one].result.learner != units[other].result.learner:
                    shared[milestone, one][other] += 1
    found: dict[str, dict[str, tuple[str, bool]]] = defaultdict(dict)
    for (milestone, one), counts in shared.items():
        all_prints = len(units[one].records[milestone]["fingerprints"])
        others = sorted(other for other, count in counts.items() if count > COPIED_SHARE * all_prints)
        if not others:
            continue
        group = [one, *others]
        # Prompts that are written out have the seed 0 beside those that are drawn.
        seeds = [units[number].records[milestone]["seeds"] for number in group]
        owners = [number for number in group if all(str(units[number].result.seed) in said for said in seeds)]
        if owners == [one]:
            continue
        names = ", ".join(units[other].result.learner for other in others)
        found[units[one].result.learner][milestone] = (names, len(owners) == 1)
    published = recorded_prints()
    for unit in units:
        for milestone, record in unit.records.items():
            if len(published.intersection(record["fingerprints"])) > COPIED_SHARE * len(record["fingerprints"]):
                found[unit.result.learner][milestone] = (RECORDED, True)
    return dict(found)


@functools.cache
def recorded_prints() -> frozenset[str]:
    """Of the runs that come with the course."""
    folders = [path.parent for path in (ROOT / "recorded").glob(f"*/{RECORDS}")]
    return frozenset(fingerprints({folder.name: load_bundle(folder) for folder in folders}))


def _settled(unit: UnitFacts, item: Item, reference: Reference, copies: Mapping[str, tuple[str, bool]]) -> Item:
    if item.id in copies:
        names, known = copies[item.id]
        if known:
            return replace(item, points=0.0, state="not-reached", message=f"the records are those of {names}")
        message = f"the same records as those of {names}: whose they are is for the instructor to say"
        return replace(item, points=0.0, max_points=0.0, state="not-run", message=message)
    if item.kind != "milestone" or item.state == "reached" or unit.result.outcome == "tampered":
        return item
    milestone = find_task(unit.result.task).milestone(item.id)
    if item.id not in unit.claims:
        # What nobody can reach here is lacking in nobody's marks, however far a notebook got.
        if milestone.embedded == "not-run" and reference(unit.result.task).get(item.id) == "not-run":
            return replace(item, max_points=0.0, state="not-run", message=f"could not be run here: {milestone.needs}")
        return item
    refused_here = milestone.embedded == "not-run" and bool(unit.refused or unit.result.kind == "bundle")
    state = "not-run" if refused_here else reference(unit.result.task).get(item.id)
    if state == "not-run":
        return replace(item, max_points=0.0, message=f"could not be run here: {item.message}")
    why = "it can be run here: the solution reaches it"
    if state != "reached":
        why = "only this notebook says that it cannot be run here"
    return replace(item, state="not-reached", message=why)
