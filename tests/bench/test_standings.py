from dataclasses import replace

from helpers.bench.findings import answer_needs
from helpers.bench.groups import group_runs
from helpers.bench.run import Run
from helpers.bench.standings import engine_rows
from tests.bench.samples import make_run


def read_in_one_piece(run: Run) -> Run:
    """The same run as a client saw it that was too busy to see tokens apart."""
    repeats = tuple(
        tuple(replace(record, chunk_s=[record.chunk_s[-1]] * len(record.chunk_s)) for record in records)
        for records in run.repeats
    )
    return replace(run, repeats=repeats)


def test_engines_that_met_in_pairs_are_starred_together() -> None:
    # A Spark takes two big engines at once: the first of a group meets the others one after the other.
    speeds = {"vllm": 0.020, "sglang": 0.021, "tensorrt-llm": 0.035}
    pairs = [
        (make_run("vllm", tpot_s=0.020), make_run(other, tpot_s=speeds[other])) for other in ("sglang", "tensorrt-llm")
    ]
    groups = group_runs(run for pair in pairs for run in pair)
    rows = {row.engine: row for row in engine_rows(groups)}
    assert {engine: row.stars and row.stars[1] for engine, row in rows.items() if row.stars} == {
        "vllm": 5,
        "sglang": 5,
        "tensorrt-llm": 3,
    }
    assert rows["ollama"].state.startswith("not-run: needs")


def test_tokens_that_were_not_seen_apart_win_nothing() -> None:
    seen, unseen = make_run("vllm"), read_in_one_piece(make_run("sglang"))
    (group,) = group_runs([seen, unseen])
    rows = {row.engine: row for row in engine_rows([group])}
    assert rows["sglang"].tpot_s is None
    assert rows["sglang"].stars is None
    fastest = next(found for found in answer_needs(group) if "fastest text" in found.need.question)
    assert fastest.winner.startswith("vllm")
