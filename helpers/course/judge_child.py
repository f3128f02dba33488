"""The child of `helpers.course.judge`: reads the jobs from standard input, writes one outcome per line.

Standard output is moved out of the reach of prints before any of the learner's code runs.
"""

import json
import os
import sys
from typing import Any

from helpers.course.answers import Outcome, answer
from helpers.course.judge import MISSING

LARGEST_ANSWER_BYTES = 1_000_000


def define(sources: list[dict[str, str]]) -> tuple[dict[str, Any], list[str]]:
    """Run the sources in one namespace; return it with a line per source that raised."""
    # "__main__" would run the learner's own entry points.
    namespace: dict[str, Any] = {"__name__": "lab"}
    errors = []
    for source in sources:
        try:
            exec(compile(source["code"], source["name"], "exec"), namespace)
        except (Exception, SystemExit) as error:  # noqa: BLE001  (visible: it becomes the outcome)
            errors.append(f"{source['name']}: {type(error).__name__}: {error}")
    return namespace, errors


def encode(outcome: Outcome) -> str:
    """One line of JSON, replaced by an error if it is too long."""
    try:
        line = json.dumps(outcome.to_json())
    except ValueError as error:  # Python writes no whole number of more than 4,300 digits
        return json.dumps(Outcome(outcome.case, error="TooLarge", message=str(error)).to_json())
    if len(line) > LARGEST_ANSWER_BYTES:
        line = json.dumps(Outcome(outcome.case, error="TooLarge", message=f"{len(line):,} bytes").to_json())
    return line


def main() -> None:
    """Answer the request."""
    jobs = json.loads(sys.stdin.buffer.read())
    results = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    for job in jobs:
        namespace, errors = define(job["sources"])
        function = namespace.get(job["function"])
        for case in job["cases"]:
            if callable(function):
                outcome = answer(function, case["name"], case["inputs"])
            else:
                why = "; ".join(errors) or f"no function {job['function']}"
                outcome = Outcome(case["name"], error=MISSING, message=why)
            results.write(encode(outcome) + "\n")
            results.flush()
    # No clean-up of the learner's threads and exit handlers: the answers are out.
    os._exit(0)


if __name__ == "__main__":
    main()
