"""What notebooks leave in their run folders: honest work, and evidence that was written by hand and looks as good."""

import ast
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from helpers.bench.bundle import save_bundle
from helpers.bench.statistics import bootstrap
from helpers.capstone.brief import find_brief
from helpers.course.catalogue import Entry, find_task
from helpers.course.definitions import read_definitions
from helpers.course.milestones import evidence_path, judge_folder
from helpers.grade.limits import UnitLimits
from helpers.grade.request import UnitRequest
from helpers.grade.sandbox import probe
from tests.bench.samples import make_run
from tests.capstone.samples import judgement, steady
from tests.course.test_tour import FEATURE, good

API, UI, CAPSTONE = find_task("5"), find_task("6"), find_task("capstone")
GOOD_DEPLOYMENT = {"engine": "nano", "model": "course", "max_num_seqs": 24, "max_model_len": 1280}
PREDICTION = {"goodput_per_s": 5.3}


def unit_of(entry: Entry, folder: Path) -> UnitRequest:
    """A unit as its own process is told of it; its scratch folder is below this one."""
    return UnitRequest(
        learner="alice",
        task=entry.stem,
        kind="notebook",
        source="",
        notebook="",
        bundle="",
        problem=None,
        digest="",
        seed=0,
        out=str(folder / "out"),
        private={},
        hide=(),
        limits=UnitLimits(),
        sandbox=probe(),
        rerun=False,
        slot=9,
        scratch=str(folder / "scratch"),
    )


def own_server_source() -> str:
    """The solution's server as a file: imports, functions and classes of its cells."""
    kept = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    parts = [ast.parse(source.code).body for source in read_definitions(API.notebook("solutions"))]
    lines = [ast.unparse(node) for part in parts for node in part if isinstance(node, kept)]
    return "\n\n\n".join(["from __future__ import annotations", *lines])


def write_evidence(entry: Entry, milestone_id: str, data: dict[str, Any], folder: Path) -> None:
    """Write it, and see that the task's judge believes it."""
    path = evidence_path(folder, milestone_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"milestone": milestone_id, "evidence": data, "backend": ""}))
    verdict = judge_folder(entry, entry.milestone(milestone_id), folder)
    assert verdict.state == "reached", verdict.reason


def forge_load(folder: Path) -> None:
    """A load test that nobody ran."""
    runs = [
        replace(make_run("mock", concurrency=8, repeats=5, ttft_s=0.05 + 0.001 * number), label=label)
        for number, label in enumerate(("direct", "own", "gateway"))
    ]
    save_bundle(folder / "bundle-load", "comparison", runs)
    added = {}
    for run in runs[1:]:
        pairs = zip(runs[0].repeat_metrics, run.repeat_metrics, strict=True)
        found = bootstrap([through.ttft_s.p50 - base.ttft_s.p50 for base, through in pairs])
        added[run.label] = [found.estimate, found.low, found.high]
    data = {"bundle": "bundle-load", "baseline": "direct", "added_ttft_s": added}
    write_evidence(API, "12.5.load", data, folder)


def forge_page(folder: Path) -> None:
    """A tour of a page that nobody opened."""
    write_evidence(UI, "12.6.ui", good(), folder)


def write_extension(folder: Path, source: str = FEATURE) -> None:
    (folder / "speed.py").write_text(source)


def forge_brief(folder: Path, **decisions: Any) -> None:
    """A judgement of a deployment that was never started: by default today's, with somebody else's figures."""
    count = find_brief("chat", "laptop").load.count(True)
    today = judgement(records=steady(count, ttft_s=5.0))
    mine = judgement(decisions={**decisions, "prediction": PREDICTION})
    today.save(folder / "chat-today")
    mine.save(folder / "chat-mine")
    row = {"brief": "chat", "today": "chat-today", "mine": "chat-mine"}
    write_evidence(
        CAPSTONE, "capstone.brief", {"rows": [{**row, "goodput": mine.goodput_per_s, "score": mine.score}]}, folder
    )
