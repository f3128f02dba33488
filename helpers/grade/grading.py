"""A whole grading: submissions in, marks and feedback out; the same command goes on where it was stopped.

    OUT/grade.json    what was graded with what: versions, limits, sandbox, seeds, what was ignored; written last
    OUT/running.json  while it runs: by which process, and where it throws things away
    OUT/unpacked/     zip files that were handed in
    OUT/reference/    the solutions' own runs, where a claim asked for them

A unit is done when its unit.json has the digest of all it rests on: the files handed in, the lab, its cases and
judges, the private cases, seed and limits. Nothing else is read again, so nothing is lost or counted twice.
"""

import contextlib
import importlib.metadata
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from helpers.bench.provenance import git_commit
from helpers.config import ROOT
from helpers.course.catalogue import find_task, find_tasks
from helpers.course.files import read_json, write_json
from helpers.errors import MissingError, UsageError
from helpers.grade.claims import UnitFacts, settle
from helpers.grade.planning import VERSION, GradeOptions, unit_request
from helpers.grade.removal import remove_tree
from helpers.grade.request import UnitRequest
from helpers.grade.results import Result, unit_folder, write_result
from helpers.grade.sandbox import probe
from helpers.grade.schedule import run_units, unit_content
from helpers.grade.submissions import Found, Submission, discover

REFERENCE = "solution"
VERSIONED = ("ipykernel", "nbclient", "numpy", "papermill", "xllamacpp")


@dataclass(frozen=True, slots=True)
class Progress:
    """After each unit: how many of how many are done, and how long the rest may take, seconds."""

    done: int
    total: int
    left_s: float
    learner: str
    task: str
    outcome: str


@dataclass(frozen=True, slots=True)
class Graded:
    """A finished grading."""

    out: Path
    results: tuple[Result, ...]
    ignored: tuple[tuple[str, str], ...]
    page: Path


def grade(
    submissions: Path, out: Path, options: GradeOptions, on_progress: Callable[[Progress], None] = lambda progress: None
) -> Graded:
    """Grade a class.

    Args:
        submissions: what was handed in; nothing in it is changed.
        out: where everything goes; a stopped grading is resumed, a finished one brought up to date.
        options: see there.
        on_progress: called when a unit is done.

    Raises:
        UsageError: nothing can be graded, or the folders overlap, or another process grades into `out`.
        MissingError: there are no labs, or no private cases where they were asked for.
    """
    from helpers.grade.exports import check_rubric

    submissions, out = submissions.resolve(), out.resolve()
    if out == submissions or submissions in out.parents or out in submissions.parents:
        raise UsageError(
            f"{out} and {submissions} lie in each other", "results would be graded", "--out another folder"
        )
    entries = find_tasks()
    if options.private is not None and not options.private.is_dir():
        raise MissingError(f"there is no {options.private}", "", f"./course release --private {options.private}")
    out.mkdir(parents=True, exist_ok=True)
    check_rubric(out, options.rubric)
    with _running(out) as scratch:
        found = discover(submissions, entries, out / "unpacked")
        requests = [unit_request(one, submissions, out, options) for one in found.submissions]
        _run(requests, options, scratch, on_progress)
        _forget_others(out, requests)
        contents = [unit_content(request) for request in requests]
        units = [UnitFacts.from_json(content) for content in contents if content is not None]
        results = settle(units, _References(out, options, scratch))
        for result in results:
            write_result(out, result)
        page = write_all(out, results, options, submissions)
        write_json(out / "grade.json", _described(found, requests, options))
    return Graded(out, tuple(results), found.ignored, page)


def write_all(out: Path, results: Sequence[Result], options: GradeOptions, submissions: Path) -> Path:
    """Marks, feedback and the class report; returns the report's page."""
    from helpers.grade.exports import write_outputs

    return write_outputs(out, results, rubric=options.rubric, submissions=submissions)


def _run(
    requests: Sequence[UnitRequest], options: GradeOptions, scratch: Path, on_progress: Callable[[Progress], None]
) -> None:
    contents = ((request, unit_content(request)) for request in requests)
    # What the machine could not do the last time, for lack of memory perhaps, it may be able to do now.
    todo = [request for request, content in contents if content is None or content.get("failure")]
    started, finished = time.monotonic(), len(requests) - len(todo)

    def on_done(request: UnitRequest) -> None:
        nonlocal finished
        finished += 1
        content = unit_content(request)
        outcome = content["result"]["outcome"] if content else "kernel-died"
        here = finished - (len(requests) - len(todo))
        left_s = (time.monotonic() - started) / here * (len(requests) - finished)
        on_progress(Progress(finished, len(requests), left_s, request.learner, request.task, outcome))

    if options.scheduler:
        from helpers.grade.cluster import run_on_cluster

        run_on_cluster(options.scheduler, todo, on_done)
    else:
        run_units(todo, options.jobs, scratch, on_done)


class _References:
    """The states of milestones when a solution is run here; each solution once, when it is first asked for."""

    def __init__(self, out: Path, options: GradeOptions, scratch: Path) -> None:
        self._out, self._options, self._scratch = out, options, scratch
        self._states: dict[str, Mapping[str, str]] = {}

    def __call__(self, task: str) -> Mapping[str, str]:
        if task not in self._states:
            self._states[task] = self._find(task)
        return self._states[task]

    def _find(self, task: str) -> Mapping[str, str]:
        path = find_task(task).notebook("solutions")
        if not path.exists():
            return {}
        submission = Submission(REFERENCE, task, path, None, str(path.relative_to(ROOT)))
        request = unit_request(submission, path.parent, self._out / "reference", self._options)
        if unit_content(request) is None:
            run_units([request], 1, self._scratch, lambda done: None)
        content = unit_content(request)
        assert content is not None
        return {item["id"]: item["state"] for item in content["result"]["items"]}


def _forget_others(out: Path, requests: Sequence[UnitRequest]) -> None:
    """Results of what is not handed in any more; what they rest on stays."""
    mine = {unit_folder(out, request.learner, request.task) for request in requests}
    for path in out.glob("units/*/*/result.json"):
        if path.parent not in mine:
            path.unlink()


def _described(found: Found, requests: Sequence[UnitRequest], options: GradeOptions) -> dict[str, Any]:
    return {
        "version": VERSION,
        "git_commit": git_commit(),
        "python": platform.python_version(),
        "versions": {name: importlib.metadata.version(name) for name in VERSIONED},
        "options": {
            "private": str(options.private) if options.private else "",
            "rubric": str(options.rubric) if options.rubric else "",
            "seed": options.seed,
            "rerun_percent": options.rerun_percent,
            "limits": options.limits.to_json(),
        },
        "sandbox": probe().to_json(),
        "units": [
            {"learner": one.learner, "task": one.task, "kind": one.kind, "digest": one.digest, "seed": one.seed}
            for one in requests
        ],
        "ignored": [{"source": source, "reason": reason} for source, reason in found.ignored],
    }


@contextlib.contextmanager
def _running(out: Path) -> Iterator[Path]:
    """Nobody else grades into this folder meanwhile; yields a folder that is thrown away."""
    import psutil

    path = out / "running.json"
    other = read_json(path)
    if other is not None:
        with contextlib.suppress(psutil.NoSuchProcess):
            if psutil.Process(other["pid"]).create_time() == other["started"] and other["pid"] != os.getpid():
                raise UsageError(
                    f"{out} is being graded by process {other['pid']}", "", "wait, or --out another folder"
                )
        remove_tree(Path(other["scratch"]))
    scratch = tempfile.mkdtemp(prefix="course-grade-")
    os.chmod(scratch, 0o711)
    write_json(path, {"pid": os.getpid(), "started": psutil.Process().create_time(), "scratch": scratch})
    try:
        yield Path(scratch)
    finally:
        remove_tree(Path(scratch))
        path.unlink(missing_ok=True)
