"""Evidence that contradicts the grader's own engines, its records, or itself."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from helpers.bench.bundle import Bundle, load_bundle, save_bundle
from helpers.bench.run import Run
from helpers.grade import witness
from helpers.models.llama import load_llama
from tests.bench.samples import make_run


def bundle_of(*runs: Run) -> dict[str, Bundle]:
    return {"load": Bundle("run", runs, {}, None, "measured")}


def engine(**changes: Any) -> dict[str, Any]:
    use = {"engine": "llama.cpp", "model": "course-heavy", "url": "http://127.0.0.1:1/v1", "seconds": 99.0}
    return {**use, "counters": {"output_tokens_total": 1000.0}, **changes}


def test_runs_at_the_graders_engine_hold() -> None:
    assert witness.engine_problem(bundle_of(make_run()), [engine()]) == ""


@pytest.mark.parametrize(
    ("engines", "problem"),
    [
        ([], "was never started"),
        ([engine(model="course")], "was never started"),
        ([engine(url="http://127.0.0.1:2/v1")], "was never started"),
        ([engine(counters={"output_tokens_total": 255.0})], "claim 256 output tokens"),
        ([engine(seconds=0.5)], "s at an engine that ran for 0.5 s"),
    ],
)
def test_runs_that_the_graders_engine_never_did_are_found(engines: list[dict[str, Any]], problem: str) -> None:
    assert problem in witness.engine_problem(bundle_of(make_run()), engines)


def test_tokens_count_over_all_runs() -> None:
    runs = bundle_of(make_run(), make_run(concurrency=2))
    assert "claim 512 output tokens" in witness.engine_problem(runs, [engine(counters={"output_tokens_total": 400.0})])


def test_an_engine_of_the_notebooks_own_is_evidence_only_where_that_is_played_again() -> None:
    runs = bundle_of(make_run("my engine"))
    assert "no engine of the grader's" in witness.unseen_problem("12.1.report", runs, [engine()])
    assert witness.unseen_problem("12.5.load", runs, []) == ""
    assert witness.unseen_problem("12.1.report", bundle_of(make_run()), [engine()]) == ""


def test_ollama_must_have_been_started() -> None:
    assert "ollama, which was never started" in witness.unseen_problem("12.6.ollama", {}, [engine()])
    assert witness.unseen_problem("12.6.ollama", {}, [engine(engine="ollama")]) == ""


def test_bundles_are_named_plainly() -> None:
    data = {"bundle": "a", "rows": [{"bundle": "b"}], "bundles": ["c"], "text": "bundle"}
    assert sorted(witness.named_bundles(data)) == ["a", "b", "c"]
    assert witness.name_problem(["load", "load-2"]) == ""
    for name in ("../bob", "/etc", "a/b", "..", ""):
        assert "outside its folder" in witness.name_problem([name])


def counted(run: Run, tokens: float) -> Run:
    return replace(run, counters={"before": {"output_tokens_total": 7.0}, "after": {"output_tokens_total": 7 + tokens}})


def saved(folder: Path, run: Run) -> tuple[Path, Bundle]:
    save_bundle(folder, "run", [run])
    return folder, load_bundle(folder)


def test_a_bundle_that_fits_itself_holds(tmp_path: Path) -> None:
    assert witness.bundle_problem(*saved(tmp_path / "load", counted(make_run(), 300))) == ""


def test_a_bundle_without_its_servers_counters_is_refused(tmp_path: Path) -> None:
    assert "no counters of the llama.cpp" in witness.bundle_problem(*saved(tmp_path / "load", make_run()))


def test_a_server_that_counted_less_is_found(tmp_path: Path) -> None:
    problem = witness.bundle_problem(*saved(tmp_path / "load", counted(make_run(), 200)))
    assert "256 output tokens in the records, 200 by the server" in problem


def test_a_summary_that_was_written_by_hand_is_found(tmp_path: Path) -> None:
    folder, _ = saved(tmp_path / "load", counted(make_run(), 300))
    summary = json.loads((folder / "summary.json").read_text())
    summary["points"][0]["output_tokens_per_s"] *= 1.5
    (folder / "summary.json").write_text(json.dumps(summary))
    assert "the summary's output_tokens_per_s" in witness.bundle_problem(folder, load_bundle(folder))


def test_an_answer_before_its_question_is_found(tmp_path: Path) -> None:
    run = counted(make_run(), 300)
    run.repeats[0][3].sent_s = 1e6
    assert "arrived before it was sent" in witness.bundle_problem(*saved(tmp_path / "load", run))


def test_decoding_faster_than_the_memory_is_found(tmp_path: Path) -> None:
    def on_a_spark(tpot_s: float) -> Run:
        run = counted(make_run(tpot_s=tpot_s, ttft_s=tpot_s), 300)
        hardware = {**run.provenance["hardware"], "gpus": [{"name": "NVIDIA GB10"}]}
        return replace(run, provenance={**run.provenance, "hardware": hardware})

    assert witness.bundle_problem(*saved(tmp_path / "slow", on_a_spark(0.02))) == ""
    problem = witness.bundle_problem(*saved(tmp_path / "fast", on_a_spark(1e-4)))
    assert "from a memory that allows" in problem


def test_the_same_times_have_the_same_fingerprints_and_others_have_others() -> None:
    first = witness.fingerprints(bundle_of(make_run()))
    assert first == witness.fingerprints(bundle_of(make_run(precision="q8_0")))
    assert not set(first) & set(witness.fingerprints(bundle_of(make_run(tpot_s=0.021))))


def test_answers_of_a_race_are_computed_again() -> None:
    model = load_llama("course")
    prompt = [5, 17, 300, 41]
    ids = [int(one) for one in model.generate(prompt, 6)]
    race = {"jobs": [{"name": "a", "prompt": prompt}], "races": [{"continuous": {"answers": {"a": {"ids": ids}}}}]}
    assert witness.races_problem(race) == ""
    race["races"][0]["continuous"]["answers"]["a"]["ids"] = [*ids[:3], (ids[3] + 7) % 2000, *ids[4:]]  # type: ignore[index]
    assert "not what the course model says" in witness.races_problem(race)
