"""capstone.brief, played again: the grader judges the learner's deployment itself, on this machine.

Nothing of the notebook runs: what is taken from its run folder is the brief's name and the deployment, as data. The
load comes from a seed that the learner could not know: it follows from the submission and the private cases.
"""

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from helpers.capstone.brief import brief_names, find_brief
from helpers.capstone.deployment import Deployment
from helpers.config import ROOT
from helpers.course.catalogue import Entry
from helpers.course.milestones import evidence_path
from helpers.course.task import Verdict, not_reached
from helpers.errors import UsageError
from helpers.grade.models import HEAVY, show_models
from helpers.grade.replays.child import LARGEST_ANSWER_BYTES, new_place
from helpers.grade.request import UnitRequest

MILESTONE = "capstone.brief"
TIME_LIMIT_S = 900.0
"""For today's deployment and the learner's, both judged up to twice; quick judgements take about half a minute."""

REFUSED_EXTRAS = ("release", "interface", "file", "executor")
"""Which program runs, with which file and on which network, is the grader's own affair."""

WORD = re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9._-]{0,63})?")
MOST = 1_000_000


def play_again(entry: Entry, request: UnitRequest, folder: Path) -> Verdict:
    """The verdict on the grader's own judgement."""
    asked = {"task": entry.stem, "folder": str(folder), "seed": hidden_seed(request)}
    place = new_place(request, "brief")
    jail = request.jail(place, reveal=(folder, *show_models(request, place, heavy=_may_be_heavy(folder))))
    try:
        done = subprocess.run(
            jail.command(sys.executable, "-m", "helpers.grade.replays.brief_child"),
            input=json.dumps(asked).encode(),
            capture_output=True,
            timeout=TIME_LIMIT_S,
            check=False,
            cwd=ROOT,
        )
        return Verdict(**json.loads(done.stdout[:LARGEST_ANSWER_BYTES]))
    except subprocess.TimeoutExpired:
        return not_reached(f"the grader's own judgement took longer than {TIME_LIMIT_S:g} s")
    except ValueError:
        words = done.stderr.decode(errors="replace").strip().splitlines()
        return not_reached(f"the grader's own judgement came to no end: {words[-1][:200] if words else ''}")


def hidden_seed(request: UnitRequest) -> int:
    """The seed of the grader's load: the same whenever this submission is graded, with these private cases."""
    text = f"{request.digest}/{request.seed}/{MILESTONE}"
    return int.from_bytes(sha256(text.encode()).digest()[:4], "big") >> 1


def plain_deployment(deployment: Deployment) -> Deployment:
    """The deployment without a name, if it holds nothing but numbers and words.

    Whether engine and model are the brief's, and whether it fits, is for the judging itself to check before it starts
    anything; a path, an address or a command is no word.

    Raises:
        UsageError: it holds something else.
    """
    fields: Mapping[str, Any] = deployment.to_json()
    values = {name: value for name, value in fields.items() if name not in ("extra", "prediction", "name")}
    extra = dict(deployment.extra)
    for name, value in (values | extra).items():
        if name in REFUSED_EXTRAS or not _is_plain(value):
            raise UsageError(f"{name} = {str(value)[:40]!r} is nothing that a deployment may say while grading")
    return replace(deployment, name="")


def _may_be_heavy(folder: Path) -> bool:
    """Whether the evidence names a brief with the heavy variant, which is then made once and not in every jail."""
    with evidence_path(folder, MILESTONE).open("rb") as file:
        text = file.read(LARGEST_ANSWER_BYTES)
    heavy = (name for name in brief_names() if HEAVY in find_brief(name, "laptop").models)
    return any(f'"{name}"'.encode() in text for name in heavy)


def _is_plain(value: Any) -> bool:
    if isinstance(value, str):
        return WORD.fullmatch(value) is not None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return 0 <= value <= MOST
    return value is None or isinstance(value, bool)
