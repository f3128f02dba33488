"""A brief on a machine that is not here: the load on the simulator's clock, every figure labelled simulated.

Also the means to predict: what the simulator says before a deployment is judged. Quality cannot be
simulated, the acceptance of a speculation is assumed, and this CPU is known in float32 only.
"""

from dataclasses import replace
from typing import Any

from helpers.bench.arrivals import Arrivals, ClosedLoop, Poisson
from helpers.bench.run import Run
from helpers.capstone.brief import Brief
from helpers.capstone.clock import WALL
from helpers.capstone.deployment import Deployment, Prediction, require_offered
from helpers.capstone.judgement import Judgement
from helpers.engines import registry
from helpers.engines.adapter import complete
from helpers.errors import UsageError

DEVICES = {"laptop": ("cpu", 1), "spark": ("gb10", 1), "two-sparks": ("gb10", 2)}
"""Profile -> the simulator's device, and how many of them there are."""

ASSUMED_ACCEPTANCE = {"eagle3": 0.7, "draft": 0.6, "ngram": 0.3}
"""Probability that a proposed token holds. Assumptions: measure your own text (task 12.4)."""

TEXT_TOKENS = 30
"""A prompt of the course's prompt classes, about; they are not made to a length."""


def simulate_brief(brief: Brief, deployment: Deployment, *, quick: bool = False, seed: int = 0) -> Judgement:
    """Put a brief's load on the simulator.

    Args:
        brief: its profile names the machine; laptop is this one, by the simulator's measurement of it.
        deployment: with the decisions that the simulator knows: engine, model, quantization, batch and token limits,
            prefix caching, chunked prefill, speculation, tensor_parallel, replicas.
        quick, seed: as for `judge`.

    Raises:
        UsageError: the brief or the engine does not allow it. MissingError: it does not fit; says by how much.
    """
    require_offered(deployment, brief)
    adapter = registry.choose(deployment.engine, deployment.model)
    config = complete(adapter, deployment.config(adapter))
    device, machines = DEVICES[brief.profile]
    if brief.profile != "laptop" and deployment.tensor_parallel * deployment.replicas > machines:
        raise UsageError(
            f"{deployment.replicas} replicas of {deployment.tensor_parallel} machines each are more than {machines}",
            "a replica takes a whole machine, tensor_parallel=2 takes two",
        )
    count = brief.load.count(quick)
    runs = [
        _replica(brief, deployment, config.max_num_seqs, device, count, seed, n) for n in range(deployment.replicas)
    ]
    return Judgement(
        brief=brief,
        deployment=deployment,
        quick=quick,
        seed=seed,
        pace=WALL,
        run=_together(runs),
        answers=None,
        cores=(config.threads or 1) * deployment.tensor_parallel * deployment.replicas,
        cpu_s=None,
        max_num_seqs=config.max_num_seqs,
        max_model_len=config.max_model_len or 0,
        origin="simulated",
    )


def predict(brief: Brief, deployment: Deployment, *, quick: bool = False, seed: int = 0) -> Prediction:
    """What the simulator expects of a deployment, as a prediction."""
    judgement = simulate_brief(brief, deployment, quick=quick, seed=seed)
    ttft = judgement.metrics.ttft_s
    return Prediction(
        goodput_per_s=judgement.goodput_per_s,
        ttft_p90_s=ttft.p90 if ttft is not None else None,
        output_tokens_per_s=judgement.metrics.output_tokens_per_s,
    )


def _replica(
    brief: Brief, deployment: Deployment, max_num_seqs: int, device: str, count: int, seed: int, number: int
) -> Run:
    """The share of one replica of the load: every so many-th request."""
    from helpers.simulate.load import simulate_load

    replicas = deployment.replicas
    speculation: dict[str, Any] = {}
    if deployment.speculation != "none":
        speculation["acceptance"] = ASSUMED_ACCEPTANCE[deployment.speculation]
        speculation["draft_tokens"] = deployment.draft_tokens or 4
    sweep = simulate_load(
        device,
        deployment.model,
        # This CPU is known in float32 only.
        quantization="f32" if device == "cpu" else deployment.quantization,
        engine=deployment.engine,
        arrivals=_share(brief.load.arrivals(1.0), replicas),
        requests=len(range(number, count, replicas)),
        output_tokens=brief.load.output_tokens,
        tensor_parallel=deployment.tensor_parallel,
        max_num_seqs=max_num_seqs,
        max_num_batched_tokens=deployment.max_num_batched_tokens,
        chunked_prefill=deployment.chunked_prefill is not False,
        seed=seed + number,
        **_lengths(brief, deployment),
        **speculation,
    )
    return sweep.runs[0]


def _share(arrivals: Arrivals, replicas: int) -> Arrivals:
    if isinstance(arrivals, ClosedLoop):
        return ClosedLoop(max(1, arrivals.concurrency // replicas))
    assert isinstance(arrivals, Poisson)
    return Poisson(arrivals.rate_per_s / replicas)


def _lengths(brief: Brief, deployment: Deployment) -> dict[str, Any]:
    """Prompt lengths, and what of them the prefix cache has."""
    load = brief.load
    if load.texts:
        return {"input_tokens": TEXT_TOKENS}
    whole = load.preamble_tokens + load.own_tokens
    if not deployment.prefix_caching:
        return {"input_tokens": whole}
    if load.preambles:
        return {"input_tokens": whole, "shared_tokens": load.preamble_tokens}
    # The first request on a document computes it; those that follow compute what is their own.
    return {"input_tokens": (whole, *[load.own_tokens] * (load.per_preamble - 1))}


def _together(runs: list[Run]) -> Run:
    """Replicas that ran side by side, as one run."""
    records = [record for run in runs for record in run.records]
    return replace(runs[0], repeats=(tuple(records),), requests=len(records)) if len(runs) > 1 else runs[0]
