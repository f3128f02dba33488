"""`./course judge` as a user calls it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.config import ROOT
from tests.capstone.samples import judgement

pytestmark = pytest.mark.timeout(120)


def judge(*arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "helpers", "judge", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done


def deployment(folder: Path, text: str) -> str:
    path = folder / "mine.toml"
    path.write_text(text)
    return str(path)


SPARK = 'engine = "vllm"\nmodel = "llama-3.1-8b"\nquantization = "nvfp4"\nspeculation = "eagle3"\n'


def test_json_is_the_contract_form_and_nothing_else(tmp_path: Path) -> None:
    file = deployment(tmp_path, SPARK + "[prediction]\ngoodput_per_s = 0.2\n")
    out = str(tmp_path / "kept")
    options = ("--profile", "spark", "--quick", "--seed", "3")
    done = judge("agent", "--deployment", file, *options, "--json", "--out", out)
    value = json.loads(done.stdout)
    assert set(value) >= {"brief", "goodput", "slo_met", "quality", "cost", "predicted", "score", "reasons"}
    assert (value["brief"], value["slo_met"], value["origin"], value["seed"]) == ("agent", True, "simulated", 3)
    assert value["goodput"] > 0
    assert value["predicted"]["goodput_per_s"]["off_by"] >= 1
    assert (tmp_path / "kept" / "judgement.json").exists()


def test_a_missed_objective_is_told_and_is_no_success(tmp_path: Path) -> None:
    file = deployment(tmp_path, SPARK.replace("eagle3", "none"))
    out = str(tmp_path / "kept")
    done = judge("agent", "--deployment", file, "--profile", "spark", "--quick", "--out", out, code=1)
    assert "objective   missed" in done.stdout
    assert "- no speculation: one user" in done.stdout


def test_the_brief_itself() -> None:
    done = judge("chat", "--profile", "laptop")
    assert "A chat service for 40 users (laptop)" in done.stdout
    assert 'engine = "llama.cpp"' in done.stdout
    assert json.loads(judge("chat", "--profile", "laptop", "--json").stdout)["name"] == "chat"


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ('engine = "llama.cpp"\nmodel = "course"\nmax_num_seq = 4\n', 2, "did you mean max_num_seqs"),
        ('engine = "llama.cpp"\nmodel = "course"\nmax_num_seqs = 200\n', 3, "does not fit"),
        ('engine = "vllm"\nmodel = "course"\n', 3, "cannot be started here"),
    ],
)
def test_refusals(tmp_path: Path, text: str, code: int, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # An environment with vLLM in it, if this machine has one, is not to be seen.
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "cache"))
    done = judge("chat", "--profile", "laptop", "--deployment", deployment(tmp_path, text), code=code)
    assert message in done.stderr
    assert done.stdout == ""


def test_wrong_use(tmp_path: Path) -> None:
    assert "there is no brief" in judge("chess", code=2).stderr
    assert "one argument too many" in judge("chat", "runs", code=2).stderr
    assert "needs folders" in judge("leaderboard", code=2).stderr
    assert "cannot read" in judge("chat", "--deployment", str(tmp_path / "none.toml"), code=3).stderr


def test_the_leaderboard(tmp_path: Path) -> None:
    judgement(decisions={"name": "Ada"}).save(tmp_path / "a")
    done = judge("leaderboard", str(tmp_path))
    assert "Ada" in done.stdout
    (row,) = json.loads(judge("leaderboard", str(tmp_path), "--json").stdout)["rows"]
    assert row["rank"] == 1
