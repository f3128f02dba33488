"""The same work units on a dask.distributed cluster: files go out with the unit, files come back.

Nothing needs a shared file system; each worker needs this clone (PYTHONPATH) and its environment. A worker that dies
costs its units another attempt on another worker, not a mark. Between us and our workers dask pickles; nothing that a
learner handed in is ever unpickled: it travels as bytes.
"""

import importlib
import itertools
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from helpers.errors import MissingError
from helpers.grade.request import UnitRequest
from helpers.grade.results import unit_folder
from helpers.grade.schedule import OnDone, deadline_s, end, start, write_failure

ATTEMPTS = 4
"""Of a unit whose worker died: the first worker's death may be the unit's own doing, four would be."""

AHEAD = 2
"""Units that are sent for each thread of the workers: one at work, one waiting."""

CONNECT_LIMIT_S = 20.0
POLL_S = 0.1

Files = dict[str, bytes]


def run_on_cluster(address: str, requests: Sequence[UnitRequest], on_done: OnDone) -> None:
    """Grade units on a cluster; each leaves its unit.json here, as if it had been graded on this machine.

    Args:
        address: tcp://HOST:PORT of the scheduler.
        requests: what to grade.
        on_done: called in this thread after each.

    Raises:
        MissingError: the package distributed is missing, or nobody answers at the address.
    """
    try:
        distributed: Any = importlib.import_module("distributed")
    except ImportError as error:
        raise MissingError("the package distributed is missing", str(error), "install the extra `cluster`") from error
    try:
        client = distributed.Client(address, timeout=CONNECT_LIMIT_S, set_as_default=False)
    except OSError as error:
        raise MissingError(
            f"no dask scheduler at {address}", str(error), "dask scheduler, then: dask worker ADDRESS"
        ) from error
    with client:
        futures: dict[Any, UnitRequest] = {}
        completed = distributed.as_completed(loop=client.loop)

        def submit(some: Iterable[UnitRequest]) -> None:
            for request in some:
                arguments = request.to_json(), handed_in(request)
                # Two learners may hand in the very same file, and dask does what has the same key once.
                key = f"unit-{request.learner}-{request.digest}"
                future = client.submit(grade_remotely, *arguments, key=key, retries=ATTEMPTS)
                futures[future] = request
                completed.add(future)

        # Only so many ahead that no worker waits: what is submitted lies in this process's memory.
        waiting = iter(requests)
        submit(itertools.islice(waiting, AHEAD * max(1, sum(client.nthreads().values()))))
        for future in completed:
            submit(itertools.islice(waiting, 1))
            request = futures.pop(future)
            if future.status == "finished":
                take_back(request, future.result())
            else:
                write_failure(request, f"on the cluster: {type(future.exception()).__name__}")
            on_done(request)
            future.release()


def handed_in(request: UnitRequest) -> Files:
    """The files of a unit, by the paths they get on the worker."""
    files: Files = {}
    if request.problem is not None:
        return files
    if request.notebook:
        with Path(request.notebook).open("rb") as file:
            files["notebook.ipynb"] = file.read(request.limits.notebook_bytes + 1)
    if request.bundle:
        folder, left = Path(request.bundle), request.limits.disk_bytes
        for path in sorted(folder.rglob("*")):
            # A byte more than it may have, so that the worker sees that it is too much.
            if left >= 0 and len(files) <= request.limits.files + 1 and path.is_file() and not path.is_symlink():
                with path.open("rb") as file:
                    files[f"bundle/{path.relative_to(folder)}"] = content = file.read(left + 1)
                left -= len(content)
    return files


def grade_remotely(asked: dict[str, Any], files: Files) -> Files:
    """Grade one unit on this worker; return what it left."""
    from helpers.grade.sandbox import probe

    request = UnitRequest.from_json(asked)
    with tempfile.TemporaryDirectory(prefix="course-grade-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        for inside, content in files.items():
            (folder / "in" / inside).parent.mkdir(parents=True, exist_ok=True)
            (folder / "in" / inside).write_bytes(content)
        (folder / "scratch").mkdir()
        (folder / "scratch").chmod(0o711)
        request = replace(
            request,
            notebook=str(folder / "in" / "notebook.ipynb") if request.notebook else "",
            bundle=str(folder / "in" / "bundle") if request.bundle else "",
            out=str(folder / "out"),
            hide=(),
            sandbox=probe(),
            scratch=str(folder / "scratch"),
        )
        process = start(request)
        deadline = time.monotonic() + deadline_s(request)
        try:
            while process.poll() is None and time.monotonic() < deadline:
                time.sleep(POLL_S)
        finally:
            end(process)
        left = unit_folder(Path(request.out), request.learner, request.task)
        if not (left / "unit.json").exists():
            raise RuntimeError(f"the unit's process ended with code {process.returncode} and no result")
        return {str(path.relative_to(left)): path.read_bytes() for path in sorted(left.rglob("*")) if path.is_file()}


def take_back(request: UnitRequest, files: Files) -> None:
    """Write what a worker returned; unit.json last, as it says that all is there."""
    folder = unit_folder(Path(request.out), request.learner, request.task)
    for name in sorted(files, key=lambda name: name == "unit.json"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(files[name])
