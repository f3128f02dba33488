"""Judgements made by rule instead of by judging, so that every figure of them is known."""

from dataclasses import replace
from typing import Any

from helpers.bench.arrivals import ClosedLoop
from helpers.bench.run import Run
from helpers.bench.target import Target
from helpers.bench.workloads import given_prompts
from helpers.capstone.brief import Brief, find_brief
from helpers.capstone.clock import Pace
from helpers.capstone.deployment import Deployment
from helpers.capstone.judgement import Judgement
from helpers.capstone.quality import tasks
from helpers.client.records import RequestRecord, Usage
from tests.bench.samples import provenance

PROMPT_TOKENS = 1000


def record(
    number: int, *, sent_s: float, ttft_s: float = 0.1, tpot_s: float = 0.01, cached: int = 0, error: str = ""
) -> RequestRecord:
    """One request of eleven tokens."""
    first = sent_s + ttft_s
    chunks = [first + tpot_s * step for step in range(11)]
    return RequestRecord(
        request_id=f"load-{number}",
        scheduled_s=sent_s,
        sent_s=sent_s,
        chunk_s=[] if error else chunks,
        done_s=chunks[-1],
        usage=Usage() if error else Usage(prompt_tokens=PROMPT_TOKENS, output_tokens=11, cached_tokens=cached),
        status=None if error else 200,
        error=error,
    )


def steady(count: int, *, gap_s: float = 0.25, **options: Any) -> list[RequestRecord]:
    """Requests, one every `gap_s`."""
    return [record(number, sent_s=number * gap_s, **options) for number in range(count)]


def run_of(records: list[RequestRecord], counters: dict[str, dict[str, float]] | None = None) -> Run:
    return Run(
        label="load",
        target=Target("http://127.0.0.1:1/v1", "llama.cpp", "course", "f16", "a sample"),
        workload=given_prompts(["a", "b"], 11),
        arrivals=ClosedLoop(4),
        requests=len(records),
        repeats=(tuple(records),),
        provenance=provenance(),
        counters=counters or {},
    )


def right_answers(kind: str) -> list[str]:
    """Answers that solve all fixed tasks of a kind."""
    found = []
    for task in tasks(kind):
        if task.kind == "facts":
            found.append(" ".join(group[0] for group in task.wanted))
        elif task.kind == "words":
            found.append(task.wanted)
        else:
            found.append(str(task.wanted).replace("'", '"').replace("True", "true").replace("False", "false"))
    return found


def judgement(
    name: str = "chat",
    records: list[RequestRecord] | None = None,
    *,
    decisions: dict[str, Any] | None = None,
    brief: Brief | None = None,
    pace: float | Pace = 1.0,
    **changed: Any,
) -> Judgement:
    """Good requests of the chat brief, unless changed."""
    found = brief or find_brief(name, "laptop")
    deployment = Deployment.build(**{**found.default, **(decisions or {})})
    if records is None:
        records = steady(found.load.count(True), cached=950)
    made = Judgement(
        brief=found,
        deployment=deployment,
        quick=True,
        seed=1,
        pace=pace if isinstance(pace, Pace) else Pace(pace, 1.0),
        run=run_of(records),
        answers=right_answers(found.quality),
        cores=1,
        cpu_s=2.0,
        max_num_seqs=deployment.max_num_seqs or 8,
        max_model_len=deployment.max_model_len or 1280,
    )
    return replace(made, **changed)
