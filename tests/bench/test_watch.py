import threading

import pytest

from helpers.bench.watch import watch
from helpers.errors import EngineFailed


class Server:
    """Counts its readings up, and fails from the third on if told to."""

    def __init__(self, *, fails: bool = False) -> None:
        self.fails = fails
        self.read = 0
        self.read_thrice = threading.Event()

    def metrics(self) -> dict[str, float]:
        self.read += 1
        if self.read == 3:
            self.read_thrice.set()
            if self.fails:
                raise EngineFailed("no metrics")
        return {"requests_running": float(self.read), "prompt_tokens_total": 9.0}


def test_gauges_are_read_while_the_block_runs() -> None:
    server = Server()
    with watch(server, every_s=0.001) as samples:
        assert server.read_thrice.wait(10)
    assert [sample["requests_running"] for sample in samples[:2]] == [1.0, 2.0]
    assert set(samples[0]) == {"at_s", "requests_running"}
    assert samples[1]["at_s"] > samples[0]["at_s"]
    assert len(samples) == server.read


def test_a_server_that_stops_answering_is_told_at_the_end() -> None:
    server = Server(fails=True)
    with pytest.raises(EngineFailed, match="no metrics"), watch(server, every_s=0.001) as samples:
        assert server.read_thrice.wait(10)
    assert len(samples) == 2


def test_an_error_of_the_block_itself_comes_through() -> None:
    with pytest.raises(ValueError, match="mine"), watch(Server(fails=True), every_s=0.001):
        raise ValueError("mine")
