from dataclasses import replace

import pytest

from helpers.bench import standings
from helpers.bench.findings import answer_needs, paired_ratio, prefill_rate
from helpers.bench.groups import group_runs
from helpers.bench.run import Run
from helpers.bench.standings import COURSE_ENGINES, engine_rows
from helpers.engines.survey import EngineState
from tests.bench.samples import make_run


@pytest.fixture
def surveyed(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the engines say of this machine, whatever it has: llama.cpp could run, the others could not."""
    states = [EngineState(name, "missing", f"a machine for {name}") for name in COURSE_ENGINES if name != "llama.cpp"]
    monkeypatch.setattr(standings, "survey_engines", lambda: [EngineState("llama.cpp", "ready"), *states])


def answers_of(runs: list[Run]) -> dict[str, str]:
    [group] = group_runs(runs)
    return {answer.need.question: answer.winner for answer in answer_needs(group)}


def test_each_need_is_answered_by_the_figure_it_asks_for() -> None:
    runs = [
        make_run(precision="f32", ttft_s=0.05, tpot_s=0.02),
        make_run(precision="q8_0", ttft_s=0.10, tpot_s=0.01),
        make_run(precision="f32", concurrency=8, ttft_s=0.2, tpot_s=0.02),
        make_run(precision="q8_0", concurrency=8, ttft_s=0.2, tpot_s=0.05),
    ]
    assert answers_of(runs) == {
        "One user, first word soonest": "llama.cpp f32",
        "One user, fastest text": "llama.cpp q8_0",
        "Long prompts": "llama.cpp f32",
        "Many users, most text": "llama.cpp f32",
    }


def test_small_differences_are_not_called_a_win() -> None:
    [group] = group_runs([make_run(precision="f32", tpot_s=0.0200), make_run(precision="f16", tpot_s=0.0196)])
    answer = next(answer for answer in answer_needs(group) if answer.need.question == "One user, fastest text")
    assert not answer.shown
    assert answer.winner == "llama.cpp f16 or llama.cpp f32"
    assert "no difference shown" in answer.because


def test_with_repeats_the_interval_decides() -> None:
    # Two percent apart in every repeat: too little for one run, enough for five that agree.
    runs = [make_run(precision="f32", tpot_s=0.0200, repeats=5), make_run(precision="f16", tpot_s=0.0196, repeats=5)]
    [group] = group_runs(runs)
    answer = next(answer for answer in answer_needs(group) if answer.need.question == "One user, fastest text")
    assert answer.shown
    assert answer.winner == "llama.cpp f16"
    assert "5 repeats" in answer.because


def test_invalid_runs_never_win() -> None:
    runs = [make_run(precision="f32"), make_run(precision="f16", tpot_s=0.001, error="HTTP 500: broken")]
    assert set(answers_of(runs).values()) == {"llama.cpp f32"}


def test_other_models_and_machines_are_not_compared() -> None:
    runs = [make_run(), make_run(model="course"), make_run(machine="another")]
    groups = group_runs(runs)
    assert len(groups) == 3
    assert all("only one" in answer.because for group in groups for answer in answer_needs(group))


def test_other_prompt_lengths_are_not_compared() -> None:
    # The short prompt would win by its length alone.
    runs = [make_run(precision="f32", input_tokens=512), make_run(precision="f16", input_tokens=64, ttft_s=0.01)]
    [group] = group_runs(runs)
    assert all(answer.runner_up == "" for answer in answer_needs(group))


def test_two_streams_are_not_one_user() -> None:
    runs = [make_run(precision="f32", concurrency=2), make_run(precision="f16", concurrency=2)]
    assert set(answers_of(runs)) == {"Many users, most text"}


def test_recorded_runs_say_so() -> None:
    recorded = make_run(machine="another")
    recorded = Run(**{**{f: getattr(recorded, f) for f in recorded.__dataclass_fields__}, "origin": "recorded"})
    [group] = group_runs([recorded])
    assert {answer.origin for answer in answer_needs(group)} == {"recorded"}
    assert engine_rows([group])[0].state == "recorded"


def test_every_engine_of_the_course_has_a_row(surveyed: None) -> None:
    rows = engine_rows(group_runs([make_run(), make_run(precision="q8_0", tpot_s=0.01)]))
    assert {row.engine for row in rows} == set(COURSE_ENGINES)
    assert rows[0].state == "measured"
    missing = next(row for row in rows if row.engine == "sglang")
    assert missing.state == "not-run: needs a machine for sglang"
    assert missing.tpot_s is None
    assert missing.older_stars == (4, 4)


def test_an_engine_that_could_run_needs_only_a_run(surveyed: None) -> None:
    row = next(row for row in engine_rows([]) if row.engine == "llama.cpp")
    assert row.state == "not-run: needs a run: ./course bench --engine llama.cpp"


def test_stars_compare_so_one_run_alone_has_none() -> None:
    alone = engine_rows(group_runs([make_run()]))[0]
    assert alone.stars is None
    both = engine_rows(group_runs([make_run(), make_run(precision="q8_0", tpot_s=0.011)]))
    assert (both[0].stars, both[1].stars) == ((5, 3), (5, 5))


def test_an_engine_with_only_invalid_runs_shows_no_figures() -> None:
    row = engine_rows(group_runs([make_run(error="HTTP 500: broken")]))[0]
    assert row.state == "invalid"
    assert (row.ttft_s, row.output_tokens_per_s) == (None, None)


def test_prefill_rate_is_prompt_tokens_over_ttft() -> None:
    metrics = make_run(input_tokens=100, ttft_s=0.1).metrics
    assert metrics.ttft_s
    assert prefill_rate(metrics) == pytest.approx(100 / metrics.ttft_s.p50)


def test_a_ratio_needs_three_repeats_of_both() -> None:
    def rate(metrics):  # type: ignore[no-untyped-def]
        return metrics.output_tokens_per_s

    assert paired_ratio(make_run(repeats=2), make_run(repeats=2), rate) is None
    assert paired_ratio(make_run(repeats=3), make_run(repeats=4), rate) is None
    interval = paired_ratio(make_run(repeats=3), make_run(repeats=3), rate)
    assert interval is not None
    assert interval.estimate == pytest.approx(1)


def at(date: str, run: Run) -> Run:
    return replace(run, provenance={**run.provenance, "date": date})


def test_only_runs_that_took_turns_make_pairs() -> None:
    first = [at("1", make_run(repeats=3)), at("1", make_run(precision="q8_0", repeats=3))]
    busy = [at("2", make_run(repeats=3, tpot_s=0.08)), at("2", make_run(precision="f16", repeats=3, tpot_s=0.09))]
    (group,) = group_runs([*first, *busy])
    answer = next(answer for answer in answer_needs(group) if answer.need.question == "One user, fastest text")
    assert (answer.winner, answer.shown) == ("llama.cpp q8_0 or llama.cpp f32", False)
    assert "ratio 1.00" in answer.because  # of the hour in which they met, not of the busy one
    (apart,) = group_runs([first[0], busy[1]])
    answer = next(answer for answer in answer_needs(apart) if answer.need.question == "One user, fastest text")
    assert "no interval" in answer.because
