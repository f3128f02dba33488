"""A learner's own server of task 12.5, as the lab wrote it down, with what the grader puts before and behind it."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

from helpers.grade.replays.child import learners_jail, listening
from helpers.grade.request import UnitRequest

SERVER = "server.py"
FACTORY = "create_app"
KEYS = {"learner": "ck-the-graders-own", "hasty": "ck-another-of-the-grader"}
TIME_LIMIT_S = 120.0


@contextmanager
def own_server(
    request: UnitRequest, file: Path, routes: Mapping[str, Any], limits: Mapping[str, Sequence[float]]
) -> Iterator[str]:
    """The server for as long as the block lasts.

    Args:
        request: the unit.
        file: its source, in the run folder.
        routes: model -> URLs of the grader's engines.
        limits: places and rates, as the lab's factory takes them.

    Yields:
        Its URL with /v1; empty if it does not listen.
    """
    jail = learners_jail(request, file)
    digests = {name: sha256(key.encode()).hexdigest() for name, key in KEYS.items()}
    arguments = {"routes": dict(routes), "digests": digests, "limits": dict(limits)}
    first = {"file": str(Path(jail.folder, file.name)), "factory": FACTORY, "arguments": arguments}
    program = (sys.executable, "-m", "helpers.course.app_child")
    with listening(request, jail, program, TIME_LIMIT_S, first) as url:
        yield f"{url}/v1" if url else ""
