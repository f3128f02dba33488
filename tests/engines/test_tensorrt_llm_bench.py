import json
from pathlib import Path
from typing import Any

import pytest

import helpers
from helpers.errors import MissingError, UsageError
from tests.engines.planning import plan


def report(prompt_tokens: int, ttft_ms: float, **changed: Any) -> dict[str, Any]:
    """As ReportUtility.get_statistics_dict of TensorRT-LLM makes it, without what is not read."""
    times = dict.fromkeys(("p50", "p90", "p95", "p99", "minimum", "maximum", "average"), ttft_ms)
    engine = {"model": "llama", "version": "1.3.0rc26", "backend": "Pytorch", "dtype": "bfloat16"}
    return {
        "engine": {**engine, "quantization": "NVFP4"},
        "request_info": {"num_requests": 8, "avg_input_length": prompt_tokens, "avg_output_length": 1.0},
        "performance": {"total_latency_ms": 9.0},
        "streaming_metrics": {"avg_ttft_ms": ttft_ms, "ttft_percentiles": times},
        **changed,
    }


def test_reports_are_read_by_prompt_length(tmp_path: Path) -> None:
    for tokens, ttft_ms in ((2048, 200.0), (512, 64.0)):
        (tmp_path / f"prefill-{tokens}.json").write_text(json.dumps(report(tokens, ttft_ms)))
    short, long = helpers.read_prefill_reports(tmp_path)
    assert (short.prompt_tokens, long.prompt_tokens) == (512, 2048)
    assert (short.prefill_tokens_per_s, long.prefill_tokens_per_s) == (8000, 10240)
    assert long.ttft_s == {"mean": 0.2, "p50": 0.2, "p90": 0.2, "p99": 0.2}
    assert (long.engine, long.requests, long.origin) == ("llama, 1.3.0rc26, Pytorch, NVFP4", 8, "recorded")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("not json", "no report of trtllm-bench"),
        ("[]", "no report of trtllm-bench"),
        ("{}", "no report of trtllm-bench"),
        (json.dumps({**report(5, 5.0), "streaming_metrics": {}}), "no report of trtllm-bench"),
        (json.dumps({k: v for k, v in report(5, 5.0).items() if k != "streaming_metrics"}), "no times to first tokens"),
        (
            json.dumps(report(5, 5.0, request_info={"num_requests": 1, "avg_input_length": 5, "avg_output_length": 9})),
            "no measurement of prefill",
        ),
    ],
)
def test_what_is_no_report_is_told(content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "prefill-5.json").write_text(content)
    with pytest.raises(UsageError, match=message):
        helpers.read_prefill_reports(tmp_path)


def test_an_empty_folder_says_where_they_are(tmp_path: Path) -> None:
    with pytest.raises(MissingError) as caught:
        helpers.read_prefill_reports(tmp_path)
    assert "TRTLLM_BENCH_OUT" in caught.value.cause


def test_the_script_writes_where_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path))
    files = plan("tensorrt-llm", container=True).files
    script = next(text for path, text in files.items() if path.endswith("prefill-bench.sh"))
    assert '--report_json "$OUT/prefill-$LENGTH.json"' in script
    assert "--streaming" in script
    assert '"output_tokens": 1' in script
