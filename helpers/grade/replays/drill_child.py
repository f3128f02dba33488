"""The drill of task 12.5, played by the grader: mock engines and clients in a process that no submission can reach.

Writes one line, {"routes"}; reads one, {"url"} of the server that has them behind it; writes one, {"situations"}.
"""

import json
import os
import sys

from helpers.course.drill import Drill
from helpers.course.drill_upstreams import DrillUpstreams
from helpers.grade.replays.drill import BURST, HASTY
from helpers.grade.replays.own_server import KEYS


def main() -> None:
    """Play the situations in the lab's order."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    with DrillUpstreams() as upstreams:
        answers.write(json.dumps({"routes": upstreams.routes}) + "\n")
        answers.flush()
        url = json.loads(sys.stdin.readline())["url"]
        drill = Drill(url, upstreams, api_key=KEYS["learner"])
        situations = [drill.whole(), drill.strangers(), drill.burst(BURST), drill.hasty(HASTY, KEYS["hasty"])]
        situations += [drill.client_leaves(), drill.upstream_dies(), drill.failover()]
    answers.write(json.dumps({"situations": situations}) + "\n")
    answers.flush()


if __name__ == "__main__":
    main()
