import socket

import pytest

from helpers.engines.ports import HOST, HeldPort
from helpers.errors import MissingError, UsageError


def listen(number: int) -> socket.socket:
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind((HOST, number))
    server.listen()
    return server


def test_ports_held_at_once_differ() -> None:
    held = [HeldPort() for _ in range(50)]
    assert len({port.number for port in held}) == 50
    for port in held:
        port.release()


def test_an_engine_can_listen_on_a_held_port() -> None:
    with HeldPort() as port:
        port.hand_over()
        listen(port.number).close()


def test_a_port_that_a_server_has_is_refused() -> None:
    with listen(0) as server, pytest.raises(UsageError, match=r"(?s)cannot be used.*port=0"):
        HeldPort(server.getsockname()[1])


def test_two_launches_cannot_start_on_the_same_asked_port() -> None:
    with HeldPort() as free:
        number = free.number
    with HeldPort(number), pytest.raises(UsageError, match="cannot be used"):
        HeldPort(number)
    HeldPort(number).release()


def test_a_cache_that_cannot_be_written_is_named(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "file"))
    with HeldPort() as free:
        number = free.number
    with pytest.raises(MissingError, match="cannot be made"):
        HeldPort(number)
