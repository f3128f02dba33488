"""`measure`, `sweep` and `compare`: from a server and a load to runs.

Warm-up goes apart and is not kept. What has finished is never lost: it is in the bundle's folder, if one is given, as
soon as it ends, and in the error if the run is stopped.
"""

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

from helpers.bench.arrivals import Arrivals, ClosedLoop
from helpers.bench.measuring import OnProgress, Plan, Side, run_all
from helpers.bench.results import Comparison, Sweep, past_the_knee
from helpers.bench.run import Run
from helpers.bench.target import Served
from helpers.bench.workloads import Workload
from helpers.errors import UsageError

MOST_STREAMS = 256
"""Where a sweep to the knee stops looking."""


def measure(
    server: Served | str,
    workload: Workload,
    arrivals: Arrivals,
    requests: int,
    *,
    warmup: int | None = None,
    repeats: int = 1,
    label: str = "",
    out: Path | None = None,
    model: str = "",
    api_key: str = "",
    timeout_s: float = 600.0,
    seed: int = 0,
    progress: OnProgress | None = None,
) -> Run:
    """Put one load on one server and keep what happened to each request.

    Args:
        server: from `launch` or `attach`, a mock server, or a URL with or without /v1.
        workload: what is asked.
        arrivals: the load shape.
        requests: how many, in each repeat.
        warmup: requests before, in the same shape; None: as many as there are streams.
        repeats: how often; intervals need at least 3.
        label: tells this run from others in a table; None given: the load shape in words.
        out: a new folder to keep the bundle in, written as requests end.
        model, api_key: for a URL that serves several models, or wants a key.
        timeout_s: bound on each request.
        seed: of a random load shape's times.
        progress: called several times a second.

    Returns:
        The run. Requests that failed are in it, with their errors.

    Raises:
        EngineFailed: nobody answers at the start. UsageError: options that cannot be. Interrupted: Ctrl-C.
    """
    plan = Plan(workload, requests, warmup, repeats, timeout_s, seed, progress)
    return run_all([Side(server, label or arrivals.label, arrivals, model, api_key)], plan, out, "run")[0]


def sweep(
    server: Served | str,
    workload: Workload,
    concurrency: Sequence[int] | Sequence[Arrivals] | None = None,
    requests: int | None = None,
    *,
    warmup: int | None = None,
    repeats: int = 1,
    out: Path | None = None,
    model: str = "",
    api_key: str = "",
    timeout_s: float = 600.0,
    seed: int = 0,
    progress: OnProgress | None = None,
) -> Sweep:
    """Measure one server at several loads.

    Args:
        server: as for `measure`.
        workload: as for `measure`.
        concurrency: numbers of streams, or load shapes; None doubles the streams until throughput gains no more
            (`past_the_knee`), at most to 256.
        requests: in each repeat of each point; None: four a stream (at a rate: ten seconds' worth; of a trace: all),
            at least 16.
        warmup, repeats, out, model, api_key, timeout_s, seed, progress: as for `measure`.

    Raises:
        As `measure`.
    """
    shapes = [
        ClosedLoop(value) if isinstance(value, int) else value for value in concurrency or _powers_of_two(MOST_STREAMS)
    ]
    plan = Plan(workload, requests, warmup, repeats, timeout_s, seed, progress)
    sides = [Side(server, shape.label, shape, model, api_key) for shape in shapes]
    stop = past_the_knee if concurrency is None else None
    return Sweep(tuple(run_all(sides, plan, out, "sweep", stop)))


def compare(
    servers: Mapping[str, Served | str],
    workload: Workload,
    arrivals: Arrivals,
    requests: int,
    *,
    warmup: int | None = None,
    repeats: int = 5,
    out: Path | None = None,
    timeout_s: float = 600.0,
    seed: int = 0,
    progress: OnProgress | None = None,
) -> Comparison:
    """Measure several running servers under one load, repeats interleaved: A B, B A, A B, ...

    All get the same prompts in the same repeat. The first server is the baseline.

    Args:
        servers: by the name they get in tables.
        workload, arrivals, requests, warmup, repeats, out, timeout_s, seed, progress: as for `measure`.

    Raises:
        As `measure`; UsageError: fewer than two servers.
    """
    if len(servers) < 2:
        raise UsageError("a comparison needs at least two servers")
    plan = Plan(workload, requests, warmup, repeats, timeout_s, seed, progress)
    sides = [Side(server, name, arrivals) for name, server in servers.items()]
    return Comparison(tuple(run_all(sides, plan, out, "comparison")))


def _powers_of_two(most: int) -> list[int]:
    return list(itertools.takewhile(lambda value: value <= most, (2**exponent for exponent in itertools.count())))
