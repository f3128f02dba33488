"""A learner's own server of task 12.5, as the lab wrote it down, with what the grader puts before and behind it."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

from helpers.grade.replays.child import learners_jail, listening, new_place, talk_to
from helpers.grade.request import UnitRequest

SERVER = "server.py"
FACTORY = "create_app"
KEYS = {"learner": "ck-the-graders-own", "hasty": "ck-another-of-the-grader"}
TIME_LIMIT_S = 120.0


def play_against(request: UnitRequest, file: Path, name: str, limits: Mapping[str, Sequence[float]]) -> Any:
    """What a program of the grader's, `{name}_child`, saw of the server; None if one of them did not start or end.

    The program tells {"routes": ...} of engines that it has started, is told {"url": ...} of the server before them,
    and tells what it saw. The other arguments are those of `own_server`.
    """
    program = (sys.executable, "-m", f"helpers.grade.replays.{name}_child")
    jail = request.jail(new_place(request, name), network="shared")
    with talk_to(jail.command(*program), TIME_LIMIT_S) as (told, ask):
        routes = told()
        if routes is None:
            return None
        with own_server(request, file, routes["routes"], limits) as url:
            if not url:
                return None
            ask({"url": url})
            return told()


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
