"""How many users a machine serves, estimated in an instant: from the cost of one step, without playing any traffic.

A machine that runs B answers at once takes one decode step for a token of each, and meanwhile the prefills that B
answers bring along. With Little's law, B answers at once are B (e2e + thinking) / e2e users. These are means: nobody
queues and nothing is left to chance, so `helpers.plan_capacity`, which plays it, gives less where waits decide.
"""

from dataclasses import dataclass

from helpers.bench.metrics import Objective
from helpers.nano.request import Request
from helpers.nano.step import Step, Work
from helpers.simulate.clock import Stepper
from helpers.simulate.system import BLOCK_SIZE, System

MOST_SEATS = 256
"""Answers at once: vLLM's default on these machines."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What users ask for: tokens of a prompt and of an answer, and seconds between an answer and the next question."""

    input_tokens: int
    output_tokens: int
    think_s: float


@dataclass(frozen=True, slots=True)
class Estimate:
    """A machine with so many answers at once; all figures are means.

    Attributes:
        bound: what keeps it from serving more.
    """

    at_once: int
    users: int
    ttft_s: float
    tpot_s: float
    output_tokens_per_s: float
    bound: str = ""


def estimate(system: System, demand: Demand, objective: Objective) -> Estimate:
    """The most users whose means meet the objective.

    Raises:
        DoesNotFit: not even one answer has room in memory.
    """
    stepper = system.stepper()
    prefill_s = _prefill_s(stepper, demand.input_tokens)
    longest = demand.input_tokens + demand.output_tokens
    room = max(1, system.blocks(MOST_SEATS, longest) * BLOCK_SIZE // (longest + BLOCK_SIZE))
    most = min(MOST_SEATS, room)
    low, high = 0, most + 1
    while high - low > 1:
        middle = (low + high) // 2
        kept = not _missed(_at(stepper, demand, prefill_s, middle), demand, objective)
        low, high = (middle, high) if kept else (low, middle)
    found = _at(stepper, demand, prefill_s, max(1, low))
    beyond = _missed(_at(stepper, demand, prefill_s, low + 1), demand, objective)
    limit = "memory for the KV cache" if room < MOST_SEATS else f"{MOST_SEATS} seats"
    users = found.users if low else 0
    return Estimate(low, users, found.ttft_s, found.tpot_s, found.output_tokens_per_s, beyond if low < most else limit)


def _at(stepper: Stepper, demand: Demand, prefill_s: float, at_once: int) -> Estimate:
    context = demand.input_tokens + demand.output_tokens // 2
    step_s = float(stepper.decode_s([context] * at_once, 1)[0])
    tpot_s = step_s + at_once * prefill_s / demand.output_tokens
    ttft_s = prefill_s + step_s
    e2e_s = ttft_s + (demand.output_tokens - 1) * tpot_s
    users = int(at_once * (e2e_s + demand.think_s) / e2e_s)
    return Estimate(at_once, users, ttft_s, tpot_s, at_once * demand.output_tokens / e2e_s)


def _missed(found: Estimate, demand: Demand, objective: Objective) -> str:
    """The bound that this misses; empty if it meets all."""
    e2e_s = found.ttft_s + (demand.output_tokens - 1) * found.tpot_s
    figures = {"TTFT": (found.ttft_s, objective.ttft_s), "TPOT": (found.tpot_s, objective.tpot_s)}
    figures["end to end"] = (e2e_s, objective.e2e_s)
    return next((name for name, (value, bound) in figures.items() if bound is not None and value > bound), "")


def _prefill_s(stepper: Stepper, tokens: int) -> float:
    request = Request.of("one", [0] * tokens, 1)
    return stepper.step_s(Step(1, (Work(request, 0, tokens, samples=True),)))
