"""The mock server: an OpenAI-compatible server whose timing is known, because it keeps the truth of each request.

    with MockServer(ttft_s=0.05, gap_s=0.005, output_tokens=64) as mock:
        run = helpers.measure(mock.url, workload, ClosedLoop(16), requests=64)
        mock.truth().peak_in_flight

It runs in a process of its own (also by hand: `python -m helpers.client.mock_process '{"port": 8000}'`), so that it
does not share the measuring process's event loop. Its tokens are words, its answers say nothing.
"""

import json
import sys
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

from helpers.client.child import Child
from helpers.client.plain import ask
from helpers.client.wire import Endpoint
from helpers.errors import UsageError


@dataclass(frozen=True, slots=True)
class Faults:
    """What goes wrong on purpose. Rates are shares of requests, drawn by `seed` and the request's number.

    Attributes:
        error_rate: answered with `error_status` and an error message.
        stall_rate: stop writing for `stall_s` halfway through the tokens.
        drop_rate: close the connection halfway through the tokens.
        malformed_rate: write half a JSON object halfway through the tokens.
        empty_rate: end the stream without a token.
        coalesce: write this many tokens at once, at the last one's time.
        foreign: answer everything with an HTML page, like a server of another kind.
    """

    seed: int = 0
    error_rate: float = 0.0
    error_status: int = 500
    stall_rate: float = 0.0
    stall_s: float = 1.0
    drop_rate: float = 0.0
    malformed_rate: float = 0.0
    empty_rate: float = 0.0
    coalesce: int = 1
    foreign: bool = False


@dataclass(frozen=True, slots=True)
class MockConfig:
    """How the mock behaves.

    Attributes:
        ttft_s: from the request's last byte to the first token's write.
        gap_s: between tokens; the schedule is absolute, so a late token does not delay the next.
        output_tokens: where an answer ends by itself; with ignore_eos, max_tokens alone counts.
        slots: requests worked on at once, the others wait; 0 for no limit.
        port: 0 for a free one.
    """

    ttft_s: float = 0.05
    gap_s: float = 0.005
    output_tokens: int = 64
    slots: int = 0
    port: int = 0
    model: str = "mock"
    faults: Faults = field(default_factory=Faults)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "MockConfig":
        """Read a configuration.

        Raises:
            UsageError: an unknown name or a value out of range.
        """
        for kind, names in ((cls, value), (Faults, value.get("faults", {}))):
            unknown = set(names) - {f.name for f in fields(kind)}
            if unknown:
                raise UsageError(
                    f"the mock server has no option {sorted(unknown)[0]!r}",
                    f"it knows {', '.join(f.name for f in fields(kind))}",
                )
        config = cls(**{**value, "faults": Faults(**value.get("faults", {}))})
        if config.output_tokens < 1 or config.faults.coalesce < 1 or min(config.ttft_s, config.gap_s) < 0:
            raise UsageError("the mock server needs output_tokens and coalesce of at least 1, and times of at least 0")
        return config


@dataclass(frozen=True, slots=True)
class TrueRequest:
    """What really happened to one request; times on the machine's monotonic clock (`time.perf_counter` on Linux).

    Attributes:
        outcome: ok, error, dropped, malformed, empty, cancelled (the client left) or open (not ended yet).
    """

    request_id: str
    received_s: float
    writes_s: list[float]
    tokens: int
    outcome: str

    @property
    def ttft_s(self) -> float | None:
        """Seconds from receiving the request to the first token's write."""
        return self.writes_s[0] - self.received_s if self.writes_s else None

    @property
    def gaps_s(self) -> list[float]:
        """Seconds between token writes."""
        return [later - earlier for earlier, later in zip(self.writes_s, self.writes_s[1:], strict=False)]


@dataclass(frozen=True, slots=True)
class Truth:
    """What the mock recorded since its start or the last reset; the latest 20,000 requests."""

    requests: list[TrueRequest]
    peak_in_flight: int
    connections: int


class MockServer(Child):
    """A mock server in its own process, for as long as the `with` block lasts.

    Args:
        **options: the fields of `MockConfig`; `faults` may be a `Faults`.

    Raises:
        UsageError: unknown option. EngineFailed: the process did not start.
    """

    title = "the mock server"
    start_limit_s = 30.0
    stop_limit_s = 2.0
    engine = "mock"
    precision = "none"

    def __init__(self, **options: Any) -> None:
        super().__init__()
        faults = options.get("faults")
        if isinstance(faults, Faults):
            options = {**options, "faults": asdict(faults)}
        self.config = MockConfig.from_json(options)
        self.model = self.config.model

    def start(self) -> Self:
        """Start the process and wait until it listens."""
        config = json.dumps(asdict(self.config))
        return self._run([sys.executable, "-m", "helpers.client.mock_process", "--with-parent", config])

    def truth(self) -> Truth:
        """What the mock recorded so far."""
        value = ask(Endpoint.parse(self.root), "GET", "/truth").value
        return Truth(**{**value, "requests": [TrueRequest(**request) for request in value["requests"]]})

    def reset(self) -> None:
        """Forget what was recorded."""
        ask(Endpoint.parse(self.root), "POST", "/reset")
