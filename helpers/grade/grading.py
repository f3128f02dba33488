"""A whole grading: submissions in, marks and feedback out; the same command goes on where it was stopped.

    OUT/grade.json    what was graded with what: versions, limits, sandbox, seeds, what was ignored; written last
    OUT/running.json  while it runs: by which process, and where it throws things away
    OUT/unpacked/     zip files that were handed in
    OUT/reference/    the solutions' own runs, where a claim asked for them

A unit is done when its unit.json has the digest of all it rests on: the files handed in, the lab, its cases and
judges, the private cases, seed and limits. Nothing else is read again, so nothing is lost or counted twice.
"""

import contextlib
import hashlib
import importlib.metadata
import json
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from helpers.bench.provenance import git_commit
from helpers.config import ROOT
from helpers.course.catalogue import Entry, find_task, find_tasks
from helpers.course.files import read_json, write_json
from helpers.course.task import Case
from helpers.errors import MissingError, UsageError
from helpers.grade.claims import UnitFacts, settle
from helpers.grade.limits import UnitLimits
from helpers.grade.results import Result, unit_folder, write_result
from helpers.grade.sandbox import probe
from helpers.grade.schedule import run_units, unit_content
from helpers.grade.submissions import Found, Submission, discover
from helpers.grade.unit import UnitRequest

VERSION = 1
"""Raised when the same submission would be graded otherwise."""

REFERENCE = "solution"
VERSIONED = ("ipykernel", "nbclient", "numpy", "papermill", "xllamacpp")
RERUN_PERCENT = 10


@dataclass(frozen=True, slots=True)
class GradeOptions:
    """How a class is graded.

    Attributes:
        private: the folder of private cases; None: only the visible ones count.
        rubric: a file of weights, bands, manual columns and late rules.
        jobs: units at a time on this machine.
        scheduler: tcp://HOST:PORT of a dask scheduler; empty for this machine.
        seed: of the class; each learner's own follows from it.
        rerun_percent: of the handed-in bundles, whose notebooks are run here too.
        limits: of each unit.
    """

    private: Path | None = None
    rubric: Path | None = None
    jobs: int = 1
    scheduler: str = ""
    seed: int = 0
    rerun_percent: int = RERUN_PERCENT
    limits: UnitLimits = field(default_factory=UnitLimits)


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
    submissions, out = submissions.resolve(), out.resolve()
    if out == submissions or submissions in out.parents or out in submissions.parents:
        raise UsageError(
            f"{out} and {submissions} lie in each other", "results would be graded", "--out another folder"
        )
    entries = find_tasks()
    if options.private is not None and not options.private.is_dir():
        raise MissingError(f"there is no {options.private}", "", f"./course release --private {options.private}")
    out.mkdir(parents=True, exist_ok=True)
    with _running(out) as scratch:
        found = discover(submissions, entries, out / "unpacked")
        requests = [_request(one, submissions, out, options) for one in found.submissions]
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


def learner_seed(class_seed: int, learner: str) -> int:
    """A learner's own seed: the same in every grading of the class, another for each learner."""
    return int.from_bytes(hashlib.sha256(f"{class_seed}/{learner}".encode()).digest()[:4], "big") >> 1


def unit_digest(submission: Submission, options: GradeOptions, private: Mapping[str, Any]) -> str:
    """SHA-256 of everything that a unit's result rests on."""
    entry = find_task(submission.task)
    digest = hashlib.sha256(f"{VERSION}/{options.seed}/{submission.problem}/{submission.kind}".encode())
    digest.update(json.dumps([options.limits.to_json(), private], sort_keys=True, default=str).encode())
    files = [entry.notebook("labs"), entry.content / "task.py", entry.content / "mistakes.json"]
    if submission.problem is None:
        files += [submission.notebook] if submission.notebook else []
        files += sorted(_regular_files(submission.bundle)) if submission.bundle else []
    for path in files:
        digest.update(f"{path.name}\0".encode())
        with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _regular_files(folder: Path) -> Iterator[Path]:
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent, name)
            if path.is_file() and not path.is_symlink():
                yield path


def _request(submission: Submission, submissions: Path, out: Path, options: GradeOptions) -> UnitRequest:
    private = _private_cases(options, find_task(submission.task))
    cases = {exercise: [asdict(case) for case in kept] for exercise, kept in private.items()}
    digest = unit_digest(submission, options, cases)
    hidden = [submissions, out, *([options.private.resolve()] if options.private else [])]
    return UnitRequest(
        learner=submission.learner,
        task=submission.task,
        kind=submission.kind,
        source=submission.source,
        notebook=str(submission.notebook) if submission.notebook else "",
        bundle=str(submission.bundle) if submission.bundle else "",
        problem=submission.problem,
        digest=digest,
        seed=learner_seed(options.seed, submission.learner),
        out=str(out),
        private=cases,
        hide=tuple(str(path) for path in hidden),
        limits=options.limits,
        sandbox=probe(),
        # By the digest: the same bundle is always in the sample, or never.
        rerun=submission.kind == "bundle" and int(digest[:8], 16) % 100 < options.rerun_percent,
        slot=0,
        scratch="",
    )


def _private_cases(options: GradeOptions, entry: Entry) -> Mapping[str, tuple[Case, ...]]:
    if options.private is None:
        return {}
    from helpers.grade.private import load_cases

    return load_cases(options.private, entry.stem)


def _run(
    requests: Sequence[UnitRequest], options: GradeOptions, scratch: Path, on_progress: Callable[[Progress], None]
) -> None:
    todo = [request for request in requests if unit_content(request) is None]
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
        request = _request(submission, path.parent, self._out / "reference", self._options)
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
        shutil.rmtree(other["scratch"], ignore_errors=True)
    scratch = tempfile.mkdtemp(prefix="course-grade-")
    os.chmod(scratch, 0o711)
    write_json(path, {"pid": os.getpid(), "started": psutil.Process().create_time(), "scratch": scratch})
    try:
        yield Path(scratch)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        path.unlink(missing_ok=True)
