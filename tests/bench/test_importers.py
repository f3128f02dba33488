"""The samples in tests/data/peers were written by the tools: four requests at two streams of a mock server."""

import json
from pathlib import Path
from typing import Any

import pytest

from helpers.bench.importers import ImportedResult, import_results
from helpers.errors import MissingError, UsageError

SAMPLES = Path(__file__).parent.parent / "data" / "peers"
FILES = {"vllm": "vllm.json", "aiperf": "profile_export.jsonl", "guidellm": "guidellm.json"}


def sample(tool: str) -> ImportedResult:
    (result,) = import_results(SAMPLES / FILES[tool])
    return result


def written(tmp_path: Path, name: str, value: Any) -> Path:
    file = tmp_path / name
    file.write_text(json.dumps(value))
    return file


def stored(name: str) -> Any:
    return json.loads((SAMPLES / name).read_text())


@pytest.mark.parametrize("tool", FILES)
def test_all_requests_are_read(tool: str) -> None:
    result = sample(tool)
    assert (result.tool, result.model, result.concurrency, result.origin) == (tool, "mock", 2, "recorded")
    assert len(result.records) == result.metrics.requests == 4
    assert result.metrics.errors == 0
    assert result.metrics.peak_in_flight == 2
    assert [record.usage.output_tokens for record in result.records] == [8] * 4
    assert min(record.sent_s for record in result.records if record.sent_s is not None) == 0
    for record in result.records:
        assert record.sent_s is not None
        assert record.done_s is not None
        assert record.scheduled_s <= record.sent_s < record.chunk_s[0] <= record.chunk_s[-1]
        assert record.chunk_s[-1] == pytest.approx(record.done_s, abs=0.005)


def test_figures_are_those_that_the_tools_give_themselves() -> None:
    vllm, vllm_says = sample("vllm").metrics, stored("vllm.json")
    assert vllm.ttft_s
    assert vllm.ttft_s.mean * 1000 == pytest.approx(vllm_says["mean_ttft_ms"])
    assert vllm.tpot_s
    assert vllm.tpot_s.mean * 1000 == pytest.approx(vllm_says["mean_tpot_ms"], rel=0.01)
    assert vllm.itl_s
    assert vllm.itl_s.mean * 1000 == pytest.approx(vllm_says["mean_itl_ms"])
    assert vllm.output_tokens_per_s == pytest.approx(vllm_says["output_throughput"], rel=0.01)

    aiperf, aiperf_says = sample("aiperf").metrics, stored("profile_export_aiperf.json")
    assert aiperf.ttft_s
    assert aiperf.ttft_s.mean * 1000 == pytest.approx(aiperf_says["time_to_first_token"]["avg"], rel=1e-4)
    assert aiperf.ttft_s.p99 * 1000 == pytest.approx(aiperf_says["time_to_first_token"]["p99"], rel=1e-4)

    guidellm, guidellm_says = sample("guidellm").metrics, stored("guidellm.json")["benchmarks"][0]["metrics"]
    assert guidellm.ttft_s
    assert guidellm.ttft_s.mean * 1000 == pytest.approx(guidellm_says["time_to_first_token_ms"]["successful"]["mean"])


def test_guidellms_tpot_is_ours_and_not_its_own_which_holds_the_ttft() -> None:
    metrics = sample("guidellm").metrics
    its_own = stored("guidellm.json")["benchmarks"][0]["metrics"]["time_per_output_token_ms"]["successful"]["mean"]
    assert metrics.tpot_s
    assert metrics.tpot_s.mean * 1000 < its_own / 2


def test_gaps_that_were_not_kept_are_not_made_up() -> None:
    result = sample("guidellm")
    assert result.metrics.itl_s is None
    assert "no inter-token latency" in result.notes[0]
    assert sample("vllm").metrics.itl_s is not None


def test_aiperfs_folder_will_do_and_its_summary_is_optional(tmp_path: Path) -> None:
    assert import_results(SAMPLES) == import_results(SAMPLES / FILES["aiperf"])
    (tmp_path / "profile_export.jsonl").write_text((SAMPLES / FILES["aiperf"]).read_text())
    (alone,) = import_results(tmp_path)
    assert (alone.model, alone.concurrency, alone.version) == ("", None, "")
    assert alone.metrics == sample("aiperf").metrics


def test_failed_requests_are_errors_and_enter_no_latency(tmp_path: Path) -> None:
    vllm = stored("vllm.json")
    vllm["errors"][1], vllm["ttfts"][1], vllm["itls"][1] = "Traceback:\n  boom", 0.0, []
    rows = [json.loads(line) for line in (SAMPLES / FILES["aiperf"]).read_text().splitlines()]
    rows[1] = {"metadata": rows[1]["metadata"], "metrics": {}, "error": {"code": 500, "message": "boom"}}
    aiperf = tmp_path / "profile_export.jsonl"
    aiperf.write_text("\n".join(map(json.dumps, rows)))
    guidellm = stored("guidellm.json")
    requests = guidellm["benchmarks"][0]["requests"]
    broken = requests["successful"].pop(1)
    broken["info"]["error"] = "boom"
    requests["errored"] = [broken]
    for file in (written(tmp_path, "v.json", vllm), aiperf, written(tmp_path, "g.json", guidellm)):
        (result,) = import_results(file)
        assert (result.metrics.requests, result.metrics.errors) == (4, 1), file
        (failed,) = [record for record in result.records if not record.ok]
        assert "boom" in failed.error
        assert "\n" not in failed.error
        assert failed.ttft_s is None


def test_vllm_without_details_says_what_to_add(tmp_path: Path) -> None:
    value = stored("vllm.json")
    for name in ("itls", "ttfts", "start_times"):
        del value[name]
    with pytest.raises(UsageError) as caught:
        import_results(written(tmp_path, "v.json", value))
    assert "--save-detailed" in caught.value.next_command


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", "[1, 2]", '"x"', "{", '{"benchmarks": [{}]}', '{"benchmarks": 3}', "\x00"]
)
def test_other_files_are_refused_in_words(tmp_path: Path, content: str) -> None:
    for name in ("x.json", "x.jsonl"):
        file = tmp_path / name
        file.write_text(content)
        with pytest.raises(UsageError, match="no result file that is known"):
            import_results(file)


def test_files_that_cannot_be_read_are_said_to_be_so(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="cannot read"):
        import_results(tmp_path / "none.json")
    binary = tmp_path / "b.json"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="no result file"):
        import_results(binary)
