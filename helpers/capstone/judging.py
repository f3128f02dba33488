"""`judge`: a deployment is checked, started, asked the fixed tasks, put under the hidden load, and scored.

Everything that can be refused is refused before anything starts. An engine that dies under the load does not end the
judgement: what was served counts, and the reasons say why it died.
"""

import secrets
from collections.abc import Callable
from pathlib import Path

from helpers.bench.arrivals import ClosedLoop
from helpers.bench.run import Run
from helpers.bench.runner import measure
from helpers.bench.target import find_target
from helpers.bench.tokens import find_tokens
from helpers.capstone.brief import Brief, find_brief
from helpers.capstone.clock import WALL, Pace, measure_pace
from helpers.capstone.deployment import Checked, Deployment, check
from helpers.capstone.judgement import LOAD, RECORD, Judgement
from helpers.capstone.load import make_texts, make_workload
from helpers.capstone.quality import ask_all
from helpers.capstone.serving import Serving, serve
from helpers.client.wire import Endpoint
from helpers.config import read_settings
from helpers.engines import registry
from helpers.engines.server import DEATH_NOTICE_S
from helpers.errors import EngineFailed, EngineUnavailable, UsageError
from helpers.hardware import choose_profile, read_hardware

EARLY_STREAMS = 2
"""Requests at once before the load, which make every preamble known."""

OnStep = Callable[[str], None]
"""Told what happens, in words."""


def judge(
    brief: str,
    deployment: Deployment,
    *,
    profile: str = "",
    quick: bool = False,
    seed: int | None = None,
    out: Path | None = None,
    told: OnStep | None = None,
) -> Judgement:
    """Judge a deployment on a brief.

    Args:
        brief: chat, extraction or agent.
        deployment: see `Deployment.build` and `read_deployment`.
        profile: laptop, spark or two-sparks; empty for this machine's. Another machine's is simulated, two Sparks are
            always.
        quick: fewer requests.
        seed: of the load; None draws one that nobody knows before.
        out: a new folder to keep the judgement in.
        told: called with each step.

    Raises:
        UsageError: the deployment cannot be, the brief does not allow it, or `out` holds a judgement already.
        EngineUnavailable: the engine is missing. MissingError: it does not fit. All three before anything starts.
        EngineFailed: it did not start.
    """
    if out is not None and ((out / RECORD).exists() or (out / LOAD).exists()):
        raise UsageError(f"{out} holds a judgement already", "", "name another folder with --out")
    here = choose_profile(read_hardware())
    found = find_brief(brief, profile or here)
    seed = secrets.randbelow(2**31) if seed is None else seed
    if found.profile != here or found.profile == "two-sparks":
        from helpers.capstone.simulated import simulate_brief

        judgement = simulate_brief(found, deployment, quick=quick, seed=seed)
    else:
        judgement = _judge_here(found, check(deployment, found), quick, seed, told or (lambda _: None))
    if out is not None:
        judgement.save(out)
    return judgement


def _judge_here(brief: Brief, checked: Checked, quick: bool, seed: int, told: OnStep) -> Judgement:
    if read_settings().engine_url:
        raise EngineUnavailable(
            "a deployment cannot be judged here",
            "COURSE_ENGINE_URL names an engine of somebody else's, and a deployment is an engine of one's own",
            "unset COURSE_ENGINE_URL",
        )
    if brief.yardstick is not None:
        registry.find(brief.yardstick.engine, brief.yardstick.model)
    told(f"starting {checked.config.engine} with {checked.config.model}")
    with serve(checked) as serving:
        judging = _Judging(brief, serving, quick, seed, told)
        endings: tuple[str, ...] = ()
        try:
            judging.play()
        except EngineFailed:
            # Only an engine that has ended is a result; anything else is an error of ours or of the machine.
            endings = serving.endings(wait_s=DEATH_NOTICE_S)
            if not endings:
                raise
        else:
            failed = judging.run is not None and any(not record.ok for record in judging.run.records)
            endings = serving.endings(wait_s=DEATH_NOTICE_S if failed else 0.0)
    return Judgement(
        brief=brief,
        deployment=checked.deployment,
        quick=quick,
        seed=seed,
        pace=judging.pace,
        run=judging.run,
        answers=judging.answers,
        cores=checked.cores,
        cpu_s=None if endings else judging.cpu_s,
        max_num_seqs=checked.config.max_num_seqs,
        max_model_len=checked.config.max_model_len or 0,
        endings=endings,
    )


class _Judging:
    """One deployment while it is judged; keeps what there is when it dies."""

    def __init__(self, brief: Brief, serving: Serving, quick: bool, seed: int, told: OnStep) -> None:
        self._brief, self._serving, self._quick, self._seed, self._told = brief, serving, quick, seed, told
        self.pace: Pace = WALL
        self.answers: list[str] | None = None
        self.run: Run | None = None
        self.cpu_s: float | None = None

    def play(self) -> None:
        brief, serving = self._brief, self._serving
        self._told("asking the fixed tasks")
        self.answers = ask_all(serving, brief.quality)
        target = find_target(serving)
        tokens = find_tokens(Endpoint.parse(target.url), target.model, target.api_key)
        count = brief.load.count(self._quick)
        early, texts = make_texts(brief.load, tokens, self._seed, count)
        if early:
            self._told("making the preambles known")
            workload = make_workload(brief.load, early, "before")
            measure(serving, workload, ClosedLoop(EARLY_STREAMS), len(early), warmup=0, timeout_s=brief.timeout_s)
        self._told("measuring the yardstick")
        self.pace = measure_pace(brief.yardstick)
        self._told(f"playing {count} requests; the clock runs {self.pace.factor:.2f} times as slowly as the brief's")
        used_s = serving.cpu_s()
        self.run = measure(
            serving,
            make_workload(brief.load, texts, brief.name),
            brief.load.arrivals(self.pace.factor),
            count,
            warmup=0,
            timeout_s=brief.timeout_s * self.pace.factor,
            seed=self._seed,
        )
        self.cpu_s = serving.cpu_s() - used_s
        self._told("measuring the yardstick again")
        self.pace = self.pace.until(measure_pace(brief.yardstick))
