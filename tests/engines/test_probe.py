import socket
import threading
from collections.abc import Iterator

import pytest

from helpers.engines import probe


@pytest.fixture
def rude_server() -> Iterator[int]:
    """Speaks something else than HTTP."""
    server = socket.create_server(("127.0.0.1", 0))

    def speak() -> None:
        connection, _ = server.accept()
        with connection:
            connection.recv(1000)
            connection.sendall(b"220 mail.example ESMTP\r\n")

    thread = threading.Thread(target=speak)
    thread.start()
    yield server.getsockname()[1]
    thread.join()
    server.close()


def test_another_protocol_is_told(rude_server: int) -> None:
    answer = probe.get(f"http://127.0.0.1:{rude_server}/health")
    assert answer.status is None
    assert "does not speak HTTP" in answer.failure


def test_silence_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        answer = probe.get(f"http://127.0.0.1:{silent.getsockname()[1]}/health", timeout_s=0.1)
    assert "did not answer within 0.1 s" in answer.failure


def test_a_host_that_is_not_there_is_told() -> None:
    assert "cannot be reached" in probe.get("http://no-such-host.invalid/").failure
