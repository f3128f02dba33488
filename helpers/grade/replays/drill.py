"""12.5.server, played again: the drill against the learner's own server, with the task's own judge."""

from pathlib import Path

from helpers.course.catalogue import Entry
from helpers.course.task import Evidence, Verdict, not_reached
from helpers.grade.replays.own_server import SERVER, play_against
from helpers.grade.request import UnitRequest

MILESTONE = "12.5.server"
LIMITS: dict[str, list[float]] = {"queue": [2, 4], "rate": [30, 1 / 3]}
BURST, HASTY = 12, 48
"""As in the lab: places at the engine and in the queue, requests at once and in a minute, and what is sent."""

ATTEMPTS = 2
"""A busy machine may miss a deadline of the drill once."""


def play_again(entry: Entry, request: UnitRequest, folder: Path) -> Verdict:
    """The verdict on the grader's own drill of the server in a run folder."""
    verdict = not_reached(f"the run left no {SERVER} to play the drill against")
    if not (folder / SERVER).is_file():
        return verdict
    for _ in range(ATTEMPTS):
        seen = play_against(request, folder / SERVER, "drill", LIMITS)
        if seen is None:
            verdict = not_reached("the server did not start, or did not come to rest")
            continue
        evidence = Evidence({"places": LIMITS["queue"][0], "situations": list(seen["situations"])}, folder)
        try:
            verdict = entry.milestone(MILESTONE).judge(evidence)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            verdict = not_reached(f"what the server answered cannot be judged: {type(error).__name__}: {error}")
        if verdict.state == "reached":
            return verdict
    return not_reached(f"in the grader's own drill: {verdict.reason}")
