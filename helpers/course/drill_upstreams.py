"""The engines behind a drilled server: mock servers that keep the truth, each with a behaviour of its own."""

import contextlib
from types import TracebackType

from helpers.client.mock import Faults, MockServer, Truth

TTFT_S, GAP_S, OUTPUT_TOKENS = 0.05, 0.01, 24


class DrillUpstreams:
    """Mock servers for as long as a `with` block lasts.

    | model    | behind it                                                                         |
    |----------|-----------------------------------------------------------------------------------|
    | steady   | a mock that does everything right: first token after 50 ms, then one every 10 ms  |
    | dropping | a mock that breaks off halfway through each answer                                |
    | failover | two mocks: one that answers everything with status 500, and one that is all right |
    | fast     | a mock that begins after 5 ms and writes 2,000 tokens a second                    |

    Attributes:
        mocks: by name; `failing` and `standby` are the two of failover.
    """

    def __init__(self) -> None:
        calm = {"ttft_s": TTFT_S, "gap_s": GAP_S, "output_tokens": OUTPUT_TOKENS}
        self.mocks = {
            "steady": MockServer(model="steady", **calm),
            "dropping": MockServer(model="dropping", **calm, faults=Faults(drop_rate=1.0)),
            "failing": MockServer(model="failover", **calm, faults=Faults(error_rate=1.0, error_status=500)),
            "standby": MockServer(model="failover", **calm),
            "fast": MockServer(model="fast", ttft_s=0.005, gap_s=0.0005),
        }
        self._stack = contextlib.ExitStack()

    @property
    def routes(self) -> dict[str, list[str]]:
        """Model -> the URLs of its upstreams, in the order in which to ask them."""
        alone = {name: [self.mocks[name].url] for name in ("steady", "dropping", "fast")}
        return {**alone, "failover": [self.mocks["failing"].url, self.mocks["standby"].url]}

    def truth(self) -> dict[str, Truth]:
        """What each mock recorded since the last reset."""
        return {name: mock.truth() for name, mock in self.mocks.items()}

    def reset(self) -> None:
        """Let all mocks forget what they recorded."""
        for mock in self.mocks.values():
            mock.reset()

    def start(self) -> "DrillUpstreams":
        """Start all mocks."""
        for mock in self.mocks.values():
            self._stack.enter_context(mock)
        return self

    def stop(self) -> None:
        """End all mocks."""
        self._stack.close()

    def __enter__(self) -> "DrillUpstreams":
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
