"""How many people a machine serves at an objective, what a million tokens cost there, and how much energy they take.

A user asks, reads the answer, thinks, and asks again. A machine serves so many users if nine in ten answers meet every
bound of the objective. The number is found by doubling and halving, each try a simulation of some minutes.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from helpers.bench.metrics import Objective
from helpers.bench.units import digits
from helpers.errors import MissingError, UsageError
from helpers.nano.request import Request
from helpers.simulate.capacity import MOST_USERS, SHARE_GOOD, CapacityPlan, SystemCapacity
from helpers.simulate.marks import extrapolations
from helpers.simulate.prices import cost_of_million, read_prices
from helpers.simulate.session import Session, budget_tokens
from helpers.simulate.sinks import Figures
from helpers.simulate.system import BLOCK_SIZE, System, make_system
from helpers.simulate.traffic import Users

SYSTEMS = ("gb10", "2x gb10", "h200")

MOST_SEATS = 256
"""Requests that run at once, vLLM's default on these machines."""

ROUNDS, ENOUGH_REQUESTS = 4, 1024
"""Questions of each user in a simulation, the first of which is asked at a random time; two where that is so many."""

FIRST_GUESS = 32


def plan_capacity(
    model: str = "llama-3.1-8b",
    objective: Objective | None = None,
    *,
    systems: Sequence[str] = SYSTEMS,
    quantization: str = "",
    engine: str = "auto",
    input_tokens: int = 512,
    output_tokens: int = 256,
    think_s: float = 10.0,
    prices: Path | None = None,
    seed: int = 0,
) -> CapacityPlan:
    """Find how many users each machine serves.

    Args:
        objective: bounds that nine in ten answers must meet; None: TTFT within 2 s, TPOT within 0.1 s.
        systems: devices, or "2x gb10" for two of them joined by their link.
        think_s: mean time between an answer's end and the next question.
        prices: a file like `prices.toml` with your own figures.

    Raises:
        UsageError: an unknown name, lengths beyond the context, or a price that is missing or none.
    """
    wanted = objective or Objective(ttft_s=2.0, tpot_s=0.1)
    table = read_prices(prices)
    found = []
    served_by = engine
    for name in systems:
        device, parallel = _parse(name)
        try:
            system = make_system(
                device, model, quantization=quantization, engine=engine, tensor_parallel=parallel, eager=False
            )
            served_by = system.engine
            longest = input_tokens + output_tokens
            if min(input_tokens, output_tokens) < 1 or longest > system.architecture.context_length:
                raise UsageError(
                    f"{input_tokens:,} / {output_tokens:,} tokens cannot be",
                    f"prompt and answer share a context of {system.architecture.context_length:,} tokens",
                )
            found.append(_capacity(name, system, wanted, input_tokens, output_tokens, think_s, table, seed))
        except MissingError as error:
            found.append(SystemCapacity(name, 0, (0, 0), why=error.what))
    shared = (
        f"power: {table['power_share']:.0%} of the limit; electricity {table['electricity_per_kwh']:g} "
        f"{table['currency']} per kWh; bought machines over {table['years']} years, busy {table['busy_share']:.0%} of "
        "the time: assumptions, edit a copy of helpers/simulate/prices.toml",
    )
    return CapacityPlan(
        model, served_by, wanted, input_tokens, output_tokens, think_s, table["currency"], tuple(found), shared
    )


def _parse(name: str) -> tuple[str, int]:
    count, times, device = name.partition("x ")
    if times and count.strip().isdigit():
        return device.strip(), int(count)
    return name, 1


def _capacity(
    name: str,
    system: System,
    objective: Objective,
    input_tokens: int,
    output_tokens: int,
    think_s: float,
    prices: dict[str, Any],
    seed: int,
) -> SystemCapacity:
    longest = input_tokens + output_tokens
    blocks = system.blocks(MOST_SEATS, longest)

    def session(users: int) -> Session:
        return Session(
            input_tokens=(input_tokens,),
            output_tokens=(output_tokens,),
            blocks=blocks,
            block_size=BLOCK_SIZE,
            max_num_seqs=min(users, MOST_SEATS),
            max_num_batched_tokens=budget_tokens(system.engine),
        )

    def figures(users: int, side: int, *, judge: bool = False) -> Figures:
        requests = users * max(2, min(ROUNDS, ENOUGH_REQUESTS // users))
        made = _Judge(objective, int((1 - SHARE_GOOD) * requests)) if judge else Figures(objective)
        session(users).play(system.stepper(side), Users(users, requests, think_s, seed), made)
        return made

    def served(side: int) -> Callable[[int], bool]:
        def serves(users: int) -> bool:
            try:
                figures(users, side, judge=True)
            except _Missed:
                return False
            return True

        return serves

    users = most_users(served(0), FIRST_GUESS)
    ends = [most_users(served(side), max(users, 1), factor=1.25, fineness=8) for side in (1, -1)]
    interval = (min(users, *ends), max(users, *ends))
    marks = extrapolations(system, batch=min(max(users, 1), MOST_SEATS), longest=longest, speculating=False)
    if not users:
        alone = figures(1, 0).metrics()
        ttft_s = alone.ttft_s.p50 if alone.ttft_s else 0.0
        tpot_s = alone.tpot_s.p50 if alone.tpot_s else 0.0
        why = (
            f"even one user waits {digits(ttft_s)} s for the first token and {digits(tpot_s * 1000)} ms for each other"
        )
        return SystemCapacity(name, 0, interval, system.quantization, why=why, extrapolations=marks)
    metrics = figures(users, 0).metrics()
    cycle_s = think_s + (metrics.e2e_s.mean if metrics.e2e_s else 0.0)
    tokens_per_s = users * output_tokens / cycle_s
    cost, energy = cost_of_million(name, system.device, system.parallel, tokens_per_s, prices)
    return SystemCapacity(
        name, users, interval, system.quantization, tokens_per_s, metrics, cost, energy, extrapolations=marks
    )


def most_users(serves: Callable[[int], bool], guess: int, *, factor: float = 2.0, fineness: int = 20) -> int:
    """The most users that are served, to 1 in `fineness`: from the guess in steps of the factor, then by halving.

    Returns:
        0 if not even one is served, and at most `MOST_USERS`.
    """
    low, high = 0, MOST_USERS + 1
    users = min(guess, MOST_USERS)
    while True:
        if serves(users):
            low = users
        else:
            high = users
        if not low and high > 1:
            users = max(1, int(high / factor))
        elif high > MOST_USERS and low < MOST_USERS:
            users = min(MOST_USERS, max(low + 1, int(low * factor)))
        else:
            break
    while high - low > max(1, low // fineness) and low < MOST_USERS:
        middle = (low + high) // 2
        low, high = (middle, high) if serves(middle) else (low, middle)
    return low


class _Missed(Exception):
    """More answers have missed the objective than may."""


class _Judge(Figures):
    """Ends a simulation as soon as its verdict is known: overloaded ones are the long ones."""

    def __init__(self, objective: Objective, allowed: int) -> None:
        super().__init__(objective)
        self._allowed = allowed
        self._ended = 0

    def ended(self, request: Request, now_s: float) -> None:
        """Count it, and end the simulation if it is one too many."""
        super().ended(request, now_s)
        self._ended += 1
        if self._ended - self.good > self._allowed:
            raise _Missed
