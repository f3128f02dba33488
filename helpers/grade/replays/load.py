"""12.5.load, played again: a short load of the grader's, directly and through the learner's own server.

The milestone holds if both of the grader's own runs are valid and the engine behind the server, which is the grader's,
wrote every answer that the clients got. What the server adds to the TTFT is measured anew with them.
"""

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from helpers.bench.run import Run
from helpers.client.mock import TrueRequest
from helpers.client.mock_words import answer_text
from helpers.course.catalogue import Entry
from helpers.course.task import Verdict, not_reached, reached
from helpers.grade.replays.own_server import SERVER, play_against
from helpers.grade.request import UnitRequest

MILESTONE = "12.5.load"
OPEN: dict[str, list[float]] = {"queue": [64, 64], "rate": [1e6, 1e6]}
"""As in the lab: a load test is not about limits."""

ATTEMPTS = 2
"""A busy machine may fail to hold all streams at once."""


def play_again(entry: Entry, request: UnitRequest, folder: Path) -> Verdict:
    """The verdict on the grader's own load."""
    if not (folder / SERVER).is_file():
        return not_reached(f"the run left no {SERVER} to put a load on")
    problem = ""
    for _ in range(ATTEMPTS):
        told = play_against(request, folder / SERVER, "load", OPEN)
        problem = "the server did not start, or the load came to no end" if told is None else told["problem"]
        if not problem:
            return reached(**told["numbers"])
    return not_reached(f"in the grader's own load: {problem}")


def load_problem(direct: Run, own: Run, behind: Sequence[TrueRequest]) -> str:
    """What the server did not do under the load; empty if nothing.

    Args:
        direct: the load without the server.
        own: the same load on the server.
        behind: what the engine behind the server recorded.
    """
    for run in (direct, own):
        if not run.valid:
            return f"{run.label}: {run.notes[0].text}"
    written = [entry for entry in behind if entry.outcome == "ok"]
    if len(written) != len(own.records):
        return f"the server answered {len(own.records)} requests, the engine behind it {len(written)}"
    if sorted(record.text for record in own.records) != sorted(answer_text(entry.tokens) for entry in written):
        return "what the server answered is not what the engine behind it wrote"
    told = [record.usage.output_tokens for record in own.records if record.usage.output_tokens is not None]
    counted = sum(entry.tokens for entry in written)
    if told and sum(told) != counted:
        return f"the server told of {sum(told)} tokens, the engine behind it counted {counted}"
    soonest_s = min(record.ttft_s or 0.0 for record in own.records)
    if soonest_s < min(entry.ttft_s or 0.0 for entry in written):
        return "an answer began sooner than the engine behind the server ever did"
    return ""


def same_port(url: str, others: Sequence[str]) -> bool:
    """Whether a server says that it listens where one of the grader's does."""
    return urlsplit(url).port in {urlsplit(other).port for other in others}
