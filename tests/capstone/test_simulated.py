"""Briefs on machines that are not here: simulated, and labelled so."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from helpers.bench.provenance import machine_id
from helpers.capstone.brief import find_brief
from helpers.capstone.deployment import Deployment
from helpers.capstone.judgement import Judgement
from helpers.capstone.judging import judge
from helpers.capstone.simulated import predict, simulate_brief
from helpers.errors import MissingError, UsageError
from helpers.simulate.parameters import Parameters
from helpers.simulate.this_cpu import Profile

PLAIN = {"engine": "vllm", "model": "llama-3.1-8b", "quantization": "nvfp4"}


def simulated(name: str, profile: str, **decisions: object) -> Judgement:
    return simulate_brief(find_brief(name, profile), Deployment.build(**{**PLAIN, **decisions}), quick=True, seed=3)


@pytest.mark.parametrize("name", ["chat", "extraction", "agent"])
def test_todays_deployment_on_a_spark_has_half_of_what_can_be_had(name: str) -> None:
    brief = find_brief(name, "spark")
    today = simulate_brief(brief, Deployment.build(**brief.default), quick=True, seed=3)
    speculation = {"speculation": "eagle3"} if name == "agent" else {"max_num_seqs": 64}
    better = simulated(name, "spark", **speculation)
    assert better.goodput_per_s >= 2 * today.goodput_per_s
    assert better.slo_met
    assert not today.slo_met
    assert (better.origin, better.quality, better.to_json()["origin"]) == ("simulated", None, "simulated")


def test_two_sparks_serve_what_one_cannot() -> None:
    both = simulated("chat", "two-sparks", max_num_seqs=64, replicas=2)
    assert len(both.run.records if both.run else []) == both.offered
    assert both.slo_met
    with pytest.raises(UsageError, match="are more than 2"):
        simulated("chat", "two-sparks", replicas=2, tensor_parallel=2)


def test_judge_simulates_another_machine() -> None:
    made = judge("agent", Deployment.build(**PLAIN), profile="spark", quick=True, seed=3)
    assert made.origin == "simulated"
    assert made.brief.profile == "spark"


def test_what_does_not_fit_is_refused() -> None:
    huge = {**PLAIN, "engine": "vllm", "model": "qwen3-235b-a22b", "quantization": "bf16"}
    with pytest.raises(UsageError, match="does not offer the model"):
        simulate_brief(find_brief("chat", "spark"), Deployment.build(**huge))
    with pytest.raises((UsageError, MissingError)):
        simulated("chat", "spark", max_model_len=10_000_000)


def test_a_prediction() -> None:
    said = predict(find_brief("agent", "spark"), Deployment.build(**PLAIN, speculation="eagle3"), quick=True)
    assert said.goodput_per_s is not None
    assert said.goodput_per_s > 0
    assert said.output_tokens_per_s is not None


@pytest.mark.parametrize("name", ["chat", "extraction", "agent"])
def test_this_machine_by_its_kept_profile(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path))
    parameters = Parameters(1.0, 1.0, 1.0, 0.0, 0.0, 0.0, step_s=0.002, overlaps=False)
    profile = Profile("nano", parameters, 1e10, 5e10, 1.2, 0.2, 16, 160_000_000, "2026-11-24", 0.1)
    folder = tmp_path / "simulate"
    folder.mkdir()
    (folder / f"{machine_id()}-nano.json").write_text(json.dumps(asdict(profile)))
    brief = find_brief(name, "laptop")
    said = predict(brief, Deployment.build(**brief.default, max_model_len=1280), quick=True, seed=1)
    assert said.output_tokens_per_s is not None
    assert said.output_tokens_per_s > 0
