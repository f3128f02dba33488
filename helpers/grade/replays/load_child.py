"""The load test of task 12.5, by the grader: engines and clients in a process that no submission can reach.

Writes one line, {"routes"}; reads one, {"url"} of the server that has them behind it; writes one, {"problem",
"numbers"}.
"""

import json
import os
import sys
from typing import Any

from helpers.bench.arrivals import ClosedLoop
from helpers.bench.results import Comparison
from helpers.bench.runner import compare
from helpers.bench.statistics import bootstrap
from helpers.bench.target import Served
from helpers.bench.workloads import given_prompts
from helpers.client.mock import MockServer
from helpers.engines.attach import attach
from helpers.errors import CourseError
from helpers.grade.replays.load import load_problem, same_port
from helpers.grade.replays.own_server import KEYS

ENGINE = {"ttft_s": 0.05, "gap_s": 0.005, "output_tokens": 32}
STREAMS, REQUESTS, REPEATS = 8, 16, 5
"""As in the lab's quick run."""


def play(direct: MockServer, behind: MockServer, url: str) -> dict[str, Any]:
    """Put the load on both."""
    if same_port(url, (direct.root, behind.root)):
        return {"problem": "the server says that it listens where the engine does", "numbers": {}}
    try:
        own = attach(url, model="mock", engine="own server", api_key=KEYS["learner"])
        sides: dict[str, Served | str] = {"direct": direct, "own": own}
        words = given_prompts(["Anything."], output_tokens=int(ENGINE["output_tokens"]))
        # The warm-up is a load of its own, so that what the engine counts later is the judged load and nothing else.
        compare(sides, words, ClosedLoop(STREAMS), STREAMS, warmup=0, repeats=1)
        behind.reset()
        found = compare(sides, words, ClosedLoop(STREAMS), REQUESTS, warmup=0, repeats=REPEATS)
    except CourseError as error:
        return {"problem": error.what, "numbers": {}}
    # One token is what `compare` asks of each server before it begins.
    written = [entry for entry in behind.truth().requests if entry.tokens != 1]
    problem = load_problem(found["direct"], found["own"], written)
    counted = {"requests": len(written), "output_tokens": sum(entry.tokens for entry in written)}
    return {"problem": problem, "numbers": counted if problem else counted | added_ttft(found)}


def added_ttft(found: Comparison) -> dict[str, Any]:
    """What the server adds to the median TTFT, under the name that the task's judge gives it; seconds."""
    pairs = zip(found["direct"].repeat_metrics, found["own"].repeat_metrics, strict=True)
    added = bootstrap([own.ttft_s.p50 - base.ttft_s.p50 for base, own in pairs if base.ttft_s and own.ttft_s])
    return {"added_ttft_s": {"own": [added.estimate, added.low, added.high]}}


def main() -> None:
    """Play it."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    with MockServer(**ENGINE) as direct, MockServer(**ENGINE) as behind:
        answers.write(json.dumps({"routes": {"mock": [behind.url]}}) + "\n")
        answers.flush()
        played = play(direct, behind, json.loads(sys.stdin.readline())["url"])
    answers.write(json.dumps(played) + "\n")
    answers.flush()


if __name__ == "__main__":
    main()
