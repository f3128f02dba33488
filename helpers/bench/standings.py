"""A row for every engine of the course: its figures where it was run, what it needs where it was not."""

from collections.abc import Sequence
from dataclasses import dataclass

from helpers.bench.findings import NEEDS, comparable, prefill_rate, token_time_s
from helpers.bench.groups import Group, variant_name
from helpers.bench.published import older_stars
from helpers.bench.stars import stars
from helpers.engines.survey import survey_engines

COURSE_ENGINES = ("llama.cpp", "vllm", "sglang", "tensorrt-llm", "ollama")
"""The engines that task 12.1 compares."""


@dataclass(frozen=True, slots=True)
class EngineRow:
    """One engine, model and precision in a line; figures are None where nothing valid was measured.

    Attributes:
        model: with its machine where there are several.
        state: measured, recorded, invalid, or "not-run: needs X".
        stars: own stars as (prefill, decode); None where there was nothing to compare with.
        older_stars: the older course's, likewise.
    """

    engine: str
    variant: str
    model: str
    state: str
    ttft_s: float | None = None
    tpot_s: float | None = None
    prefill_tokens_per_s: float | None = None
    output_tokens_per_s: float | None = None
    at_concurrency: int | None = None
    stars: tuple[int, int] | None = None
    older_stars: tuple[int, int] | None = None


def engine_rows(groups: Sequence[Group]) -> list[EngineRow]:
    """A row for each variant that was run, and one for each engine of the course that was not, with what it needs."""
    machines = {group.machine for group in groups}
    rows = [row for group in groups for row in _rows(group, group.title if len(machines) > 1 else group.model)]
    not_run = [engine for engine in COURSE_ENGINES if engine not in {row.engine for row in rows}]
    needs = {state.engine: state.needs for state in survey_engines()}
    older = older_stars()
    for engine in not_run:
        needed = needs[engine] or f"a run: ./course bench --engine {engine}"
        rows.append(EngineRow(engine, engine, "", f"not-run: needs {needed}", older_stars=_pair(older.get(engine))))
    return rows


def _rows(group: Group, subject: str) -> list[EngineRow]:
    one, _, longest, best = (comparable(group, need) for need in NEEDS)
    prefill = {name: rate for name, run in longest.items() if (rate := prefill_rate(run.metrics))}
    decode = {name: 1 / time_s for name, run in one.items() if (time_s := token_time_s(run.metrics))}
    # Stars compare; with one variant there is nothing to compare.
    own_prefill, own_decode = (stars(rates) if len(rates) > 1 else {} for rates in (prefill, decode))
    older = older_stars()
    rows = []
    for name in dict.fromkeys(variant_name(run) for run in group.runs):
        members = [run for run in group.runs if variant_name(run) == name]
        valid = [run for run in members if run.valid]
        single, most = one.get(name), best.get(name)
        rows.append(
            EngineRow(
                engine=members[0].target.engine,
                variant=name,
                model=subject,
                state=" and ".join(sorted({run.origin for run in valid})) if valid else "invalid",
                ttft_s=single.metrics.ttft_s.p50 if single and single.metrics.ttft_s else None,
                tpot_s=token_time_s(single.metrics) if single else None,
                prefill_tokens_per_s=prefill.get(name),
                output_tokens_per_s=most.metrics.output_tokens_per_s if most else None,
                at_concurrency=most.concurrency if most else None,
                stars=(own_prefill[name], own_decode[name]) if name in own_prefill and name in own_decode else None,
                older_stars=_pair(older.get(members[0].target.engine)),
            )
        )
    return rows


def _pair(stars_of_engine: dict[str, int] | None) -> tuple[int, int] | None:
    return (stars_of_engine["prefill"], stars_of_engine["decode"]) if stars_of_engine else None
