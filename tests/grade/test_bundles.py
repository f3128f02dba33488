"""Runs that were handed in: judged as they are, and a sample of them run again."""

import json
from pathlib import Path

from helpers.bench.bundle import save_bundle
from tests.bench.samples import make_run
from tests.grade.conftest import run_grading
from tests.grade.hostile import HOSTILE


def test_a_bundle_in_the_sample_is_run_here_too_and_keeps_its_own_evidence(grade_clone: Path, tmp_path: Path) -> None:
    folder, out = tmp_path / "submissions", tmp_path / "graded"
    for learner in ("alice", "bob"):
        work = folder / learner / "runs" / "01_sample"
        (work / "evidence").mkdir(parents=True)
        content = {"milestone": "12.1.sample", "evidence": {"rows": [1], "bundle": "load"}, "backend": "elsewhere"}
        (work / "evidence" / "12.1.sample.json").write_text(json.dumps(content))
        save_bundle(work / "load", "run", [make_run(engine="mock", tpot_s=0.02 if learner == "alice" else 0.03)])
    HOSTILE["honest"].write(folder / "alice" / "01_sample.ipynb", grade_clone)
    units = run_grading(grade_clone, folder, out, "--rerun", "100")
    alice = {item["id"]: item for item in units["alice"]["items"]}
    assert (units["alice"]["outcome"], alice["12.1.sample"]["message"]) == ("ok", "reached (elsewhere)")
    assert "sample: its notebook was run here too: ok" in units["alice"]["reasons"]
    unit = out / "units" / "alice" / "01_sample"
    assert json.loads((unit / "run/evidence/12.1.sample.json").read_text())["backend"] == "elsewhere"
    assert json.loads((unit / "rerun/evidence/12.1.sample.json").read_text())["backend"] == "no engine"
    bob = {item["id"]: (item["state"], item["points"]) for item in units["bob"]["items"]}
    assert (bob["ex1-ttft"], bob["12.1.sample"]) == (("not-run", 0.0), ("reached", 1.0))
