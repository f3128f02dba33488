"""Task 12.3's judges: they compute curves and shares again from the records, and say what evidence lacks."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import helpers
from helpers.bench.bundle import save_bundle
from helpers.config import ROOT
from helpers.course.catalogue import find_milestone
from helpers.course.masters import parse
from helpers.course.task import Evidence, Verdict
from tests.bench.samples import make_run

CONTENT = ROOT / "content" / "03_tensorrt_llm_engine"
LENGTHS = (128, 512, 1024, 2048)
Evil = Callable[[dict[str, Any]], object]


def judge(milestone: str, evidence: dict[str, Any], folder: Path = Path(), backend: str = "") -> Verdict:
    return find_milestone(milestone)[1].judge(Evidence(evidence, folder, backend))


def aot() -> dict[str, Any]:
    """What the notebook hands in for a built engine."""
    row = {"precision": "f32", "profile": "1 to 8", "build_s": 0.5, "load_s": 0.1, "engine_bytes": 2, "state": "loaded"}
    answers = [[number, 2, 3] for number in range(8)]
    return {
        "engines": [row],
        "answers": {"nano": answers, "onnxruntime": [list(answer) for answer in answers]},
        "prefill_s": {"nano": [0.2] * 5, "onnxruntime": [0.1] * 5},
        "wrong_profile": {"wanted_tokens": 34, "computed_tokens": 4096},
    }


def test_an_engine_that_was_built_loaded_and_checked_reaches_it() -> None:
    verdict = judge("12.3.aot", aot())
    assert verdict.state == "reached"
    assert verdict.numbers["speedup"] == 2


def test_a_slower_engine_is_a_finding_not_a_failure() -> None:
    evidence = aot()
    evidence["prefill_s"]["onnxruntime"] = [0.9] * 5
    assert judge("12.3.aot", evidence).state == "reached"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda e: e["engines"][0].update(precision="int8"), "no float32 engine"),
        (lambda e: e["engines"][0].update(state="built"), "built the second time, not loaded"),
        (lambda e: e["engines"][0].update(build_s=0.0), "not timed"),
        (lambda e: e["answers"]["onnxruntime"].pop(), "8 answers of nano beside 7"),
        (lambda e: e["answers"]["onnxruntime"][0].append(4), "1 of 8 greedy answers are not nano's"),
        (lambda e: e["prefill_s"]["nano"].pop(), "fewer than 5 times"),
        (lambda e: e["wrong_profile"].update(computed_tokens=34), "no wrong profile was shown"),
    ],
)
def test_what_an_engine_lacks_is_said(change: Evil, reason: str) -> None:
    evidence = aot()
    change(evidence)
    verdict = judge("12.3.aot", evidence)
    assert verdict.state == "not-reached"
    assert reason in verdict.reason


def save_points(folder: Path, engine: str = "onnxruntime", **changed: Any) -> list[dict[str, Any]]:
    """A bundle for each length; the times lie on a curve."""
    points = []
    for length in LENGTHS:
        ttft_s = 0.01 + 1e-4 * length + 2e-8 * length**2
        run = make_run(engine, ttft_s=ttft_s, input_tokens=length, output_tokens=4, **changed)
        save_bundle(folder / f"bundle-{length}", "run", [run])
        points.append({"bundle": f"bundle-{length}", "prompt_tokens": length, "flops": 1e7 * length})
    return points


def prefill(folder: Path) -> dict[str, Any]:
    """What the notebook hands in for prefill."""
    points = save_points(folder)
    times = [1.04 * (0.01 + 1e-4 * length + 2e-8 * length**2) for length in LENGTHS]  # the median of the scatter
    pair_s, token_s, fixed_s = np.polyfit(LENGTHS, times, 2)
    share = points[-1]["flops"] / (times[-1] - fixed_s) / 1e11
    return {
        "points": points,
        "peak_flops_per_s": 1e11,
        "curve": {"fixed_s": fixed_s, "token_s": token_s, "pair_s": pair_s},
        "share": share,
        "trap": {"cached": 500, "computed": 1, "prompt_ms": 4.0},
    }


def test_prefill_by_length_is_computed_again_and_reaches_it(tmp_path: Path) -> None:
    verdict = judge("12.3.prefill", prefill(tmp_path), tmp_path)
    assert verdict.state == "reached", verdict.reason
    assert verdict.numbers["pair_s"] == pytest.approx(2.08e-8, rel=0.01)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda e: e["points"].pop(0), "asked are 4, the longest 8 times the shortest"),
        (lambda e: e["curve"].update(pair_s=0.0), "pair_s is 0 there"),
        (lambda e: e.update(share=e["share"] * 2), "by the records"),
        (lambda e: e.update(peak_flops_per_s=1e9), "of the peak, which is impossible"),
        (lambda e: e["points"][1].update(prompt_tokens=500), "a prompt has 512 tokens, not 500"),
        (lambda e: e["points"][0].update(bundle="nowhere"), "nowhere"),
        (lambda e: e["trap"].update(cached=0), "the trap was not sprung"),
    ],
)
def test_what_prefill_lacks_is_said(change: Evil, reason: str, tmp_path: Path) -> None:
    evidence = prefill(tmp_path)
    change(evidence)
    verdict = judge("12.3.prefill", evidence, tmp_path)
    assert verdict.state == "not-reached"
    assert reason in verdict.reason


def test_prompts_from_a_cache_are_no_prefill(tmp_path: Path) -> None:
    evidence = prefill(tmp_path)
    run = make_run("onnxruntime", input_tokens=128, output_tokens=4)
    cached = tuple(
        replace(record, usage=replace(record.usage, cached_tokens=120)) for records in run.repeats for record in records
    )
    save_bundle(tmp_path / "cached", "run", [replace(run, repeats=(cached,))])
    evidence["points"][0]["bundle"] = "cached"
    assert "94% of prompt tokens came from a prefix cache" in judge("12.3.prefill", evidence, tmp_path).reason


def tensorrt_llm(folder: Path) -> dict[str, Any]:
    """What the notebook hands in where a GPU is."""
    texts = [f"answer {number}" for number in range(5)]
    return {
        "path": "PyTorch backend, tuned load",
        "version": "1.3.0rc13",
        "start_s": 60.0,
        "points": save_points(folder, engine="tensorrt-llm"),
        "answers": {"bf16": texts, "nvfp4": texts},
    }


@pytest.mark.parametrize("path", ["PyTorch backend, tuned load", "TensorRT engine built ahead of time"])
def test_either_path_reaches_it_and_is_named(path: str, tmp_path: Path) -> None:
    evidence = {**tensorrt_llm(tmp_path), "path": path}
    verdict = judge("12.3.tensorrt-llm", evidence, tmp_path, "TensorRT-LLM 1.3.0rc13 on GB10")
    assert verdict.state == "reached", verdict.reason
    assert verdict.numbers["path"] == path


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda e: e.update(path="an engine"), "it is one of"),
        (lambda e: e["points"].__delitem__(slice(2)), "2 lengths; asked are 3"),
        (lambda e: e["answers"].pop("nvfp4"), "two configurations"),
        (lambda e: e["answers"]["bf16"].pop(), "two configurations"),
    ],
)
def test_what_tensorrt_llm_lacks_is_said(change: Evil, reason: str, tmp_path: Path) -> None:
    evidence = tensorrt_llm(tmp_path)
    change(evidence)
    verdict = judge("12.3.tensorrt-llm", evidence, tmp_path, "TensorRT-LLM 1.3.0rc13 on GB10")
    assert verdict.state == "not-reached"
    assert reason in verdict.reason


def test_another_engine_is_not_tensorrt_llm(tmp_path: Path) -> None:
    evidence = tensorrt_llm(tmp_path)
    assert "the backend was" in judge("12.3.tensorrt-llm", evidence, tmp_path, "vLLM").reason
    other = tmp_path / "other"
    evidence["points"] = save_points(other, engine="vllm")
    assert "measured on vllm" in judge("12.3.tensorrt-llm", evidence, other, "TensorRT-LLM 1.3.0rc13").reason


def test_the_cells_for_a_gpu_make_evidence_that_reaches_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Section 9 as it is written, with an engine of this machine in TensorRT-LLM's place."""
    cells = {cell.id: cell.source for cell in parse((CONTENT / "notebook.py").read_text(), "notebook.py")}
    assert "for length in (128, 1024, 4096):" in cells["run-one"]
    with helpers.launch("llama.cpp", "course", precision="f32", max_num_seqs=1) as real:

        def stand_in(engine: str, model: str, **options: Any) -> helpers.Server:
            assert (engine, options["max_num_seqs"]) == ("tensorrt-llm", 8)
            if options.get("eager"):
                raise helpers.EngineFailed("no memory for it")
            return helpers.attach(real.url, model="course", engine="tensorrt-llm")

        monkeypatch.setattr(helpers, "launch", stand_in)
        names: dict[str, Any] = {"helpers": helpers, "time": time, "quick": True, "seed": 1, "model": "course"}
        names |= {"run_dir": tmp_path, "server": SimpleNamespace(stop=lambda: None), "questions": ["What is TTFT?"] * 5}
        for name in ("run-configurations", "run-one", "run", "trtllm-evidence"):
            exec(cells[name].replace("4096", "512"), names)
    assert set(names["backends"]) == {"fp8", "chunked, 2,048 tokens a step", "nvfp4"}
    assert [row["answers as fp8"] for row in names["trtllm_rows"]] == [5, 5, 5]
    verdict = judge("12.3.tensorrt-llm", names["tensorrt_llm"], tmp_path, "TensorRT-LLM, in its place llama.cpp")
    assert verdict.state == "reached", verdict.reason
