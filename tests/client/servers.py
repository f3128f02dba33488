"""Servers that misbehave in ways the mock server does not."""

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager


@contextmanager
def scripted(answers: Sequence[bytes], *, close: bool = True) -> Iterator[str]:
    """Answer each request on a connection with the next of the given bytes, whatever it says; yields the URL.

    With `close` each connection is closed after its answer, else it stays open; an empty answer closes it in any case.
    """
    listening = socket.create_server(("127.0.0.1", 0))
    listening.settimeout(10)
    left = list(answers)
    held = []

    def read_request(connection: socket.socket) -> bool:
        data = b""
        while b"\r\n\r\n" not in data:
            data += connection.recv(65536)
            if not data:
                return False
        head, _, body = data.partition(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        while len(body) < length:
            body += connection.recv(65536)
        return True

    def serve() -> None:
        while left:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            held.append(connection)
            connection.settimeout(10)
            try:
                while left and read_request(connection):
                    answer = left.pop(0)
                    connection.sendall(answer)
                    if close or not answer:
                        connection.close()
                        break
            except OSError:
                continue

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
    finally:
        left.clear()
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        for connection in held:
            connection.close()
        thread.join()


def stream(*events: str, ending: str = "0\r\n\r\n", headers: str = "") -> bytes:
    """An HTTP answer of server-sent events."""
    body = "".join(f"{len(event.encode()):x}\r\n{event}\r\n" for event in events)
    head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n"
    return f"{head}{headers}\r\n{body}{ending}".encode()


def token(text: str) -> str:
    """One event with one token."""
    return f'data: {{"choices": [{{"index": 0, "delta": {{"content": "{text}"}}}}]}}\n\n'


DONE = "data: [DONE]\n\n"
