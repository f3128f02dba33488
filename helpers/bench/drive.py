"""One load, from prompts to records: what `measure` and `calibrate` are made of."""

from collections.abc import Callable, Sequence
from typing import Any

from helpers.bench.arrivals import Arrivals, ClosedLoop
from helpers.bench.target import Target
from helpers.bench.workloads import Prompt, Workload
from helpers.client.load import EncodedRequest, LoadClient, closed_loop, open_loop
from helpers.client.loop import run_apart
from helpers.client.records import RequestRecord


def payload(target: Target, workload: Workload, prompt: Prompt) -> dict[str, Any]:
    """The chat request of one prompt."""
    fixed = {"ignore_eos": True} if workload.fixed_output and target.fixed_output else {}
    return {
        "model": target.model,
        "messages": prompt.messages,
        "max_tokens": prompt.output_tokens,
        **fixed,
        **workload.options,
    }


def drive(
    target: Target,
    workload: Workload,
    prompts: Sequence[Prompt],
    arrivals: Arrivals,
    *,
    ids: str,
    seed: int,
    timeout_s: float,
    on_record: Callable[[RequestRecord], None],
    on_tick: Callable[[], None] = lambda: None,
) -> None:
    """Send the prompts in this load shape and wait for all answers, in a thread of its own.

    Args:
        target, workload, prompts, arrivals: who is asked what, and when.
        ids: request ids are this, a dash and a number.
        seed: of a random load shape's times.
        timeout_s: bound on each request.
        on_record: called in that thread with each record as it is made.
        on_tick: called in the caller's thread several times a second.

    Raises:
        KeyboardInterrupt: in the caller's thread, after the load has been stopped; records made so far were handed on.
    """
    client = LoadClient(target.url, api_key=target.api_key, timeout_s=timeout_s)
    requests = [
        client.encode(f"{ids}-{number}", "/chat/completions", payload(target, workload, prompt))
        for number, prompt in enumerate(prompts)
    ]
    times_s = None if isinstance(arrivals, ClosedLoop) else arrivals.times_s(len(requests), seed)

    async def load() -> None:
        try:
            await _shape(client, requests, arrivals, times_s, on_record)
        finally:
            await client.close()

    run_apart(load, on_tick)


async def _shape(
    client: LoadClient,
    requests: Sequence[EncodedRequest],
    arrivals: Arrivals,
    times_s: Sequence[float] | None,
    on_record: Callable[[RequestRecord], None],
) -> None:
    if isinstance(arrivals, ClosedLoop):
        await closed_loop(client, requests, arrivals.concurrency, on_record)
    else:
        assert times_s is not None
        await open_loop(client, requests, times_s, on_record)
