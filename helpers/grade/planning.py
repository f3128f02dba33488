"""From submissions to the requests of units: options, seeds, private cases, and the digest that says what is done."""

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from helpers.course.catalogue import Entry, find_task
from helpers.course.task import Case
from helpers.grade.limits import UnitLimits
from helpers.grade.request import UnitRequest
from helpers.grade.sandbox import probe
from helpers.grade.submissions import Submission

VERSION = 2
"""Raised when the same submission would be graded otherwise."""

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


def learner_seed(class_seed: int, learner: str) -> int:
    """A learner's own seed: the same in every grading of the class, another for each learner."""
    return int.from_bytes(hashlib.sha256(f"{class_seed}/{learner}".encode()).digest()[:4], "big") >> 1


def unit_digest(submission: Submission, options: GradeOptions, private: Mapping[str, Any]) -> str:
    """SHA-256 of everything that a unit's result rests on."""
    entry = find_task(submission.task)
    digest = hashlib.sha256(f"{VERSION}/{options.seed}/{submission.problem}/{submission.kind}".encode())
    digest.update(json.dumps([options.limits.to_json(), private], sort_keys=True, default=str).encode())
    files = [entry.notebook("labs"), entry.content / "task.py", entry.content / "mistakes.json"]
    named = [(path.name, path) for path in files]
    if submission.problem is None:
        named += [(submission.notebook.name, submission.notebook)] if submission.notebook else []
        bundle = submission.bundle
        named += [(str(path.relative_to(bundle)), path) for path in sorted(_regular_files(bundle))] if bundle else []
    for name, path in named:
        digest.update(os.fsencode(name) + b"\0")
        # What cannot be read is found again by the unit, and told.
        with contextlib.suppress(OSError), path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _regular_files(folder: Path) -> Iterator[Path]:
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent, name)
            if path.is_file() and not path.is_symlink():
                yield path


def unit_request(submission: Submission, submissions: Path, out: Path, options: GradeOptions) -> UnitRequest:
    """What a unit's process is told; the scratch folder is for whoever starts it."""
    private = _private_cases(options, find_task(submission.task))
    cases = {exercise: [asdict(case) for case in kept] for exercise, kept in private.items()}
    digest = unit_digest(submission, options, cases)
    # By the digest: the same bundle is always in the sample, or never.
    rerun = submission.kind == "bundle" and int(digest[:8], 16) % 100 < options.rerun_percent
    hidden = [submissions, out, *([options.private.resolve()] if options.private else [])]
    return UnitRequest(
        learner=submission.learner,
        task=submission.task,
        kind=submission.kind,
        source=submission.source,
        notebook=str(submission.notebook) if submission.notebook else "",
        bundle=str(submission.bundle) if submission.bundle else "",
        problem=submission.problem,
        # A larger sample is run although the bundle is the same.
        digest=hashlib.sha256(f"{digest}/rerun".encode()).hexdigest() if rerun else digest,
        seed=learner_seed(options.seed, submission.learner),
        out=str(out),
        private=cases,
        hide=tuple(str(path) for path in hidden),
        limits=options.limits,
        sandbox=probe(),
        rerun=rerun,
        slot=0,
        scratch="",
    )


def _private_cases(options: GradeOptions, entry: Entry) -> Mapping[str, tuple[Case, ...]]:
    if options.private is None:
        return {}
    from helpers.grade.private import load_cases

    return load_cases(options.private, entry.stem)
