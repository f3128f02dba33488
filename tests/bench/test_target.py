"""What is asked of a server before it is measured."""

from types import SimpleNamespace

import pytest

from helpers.bench.target import find_target
from helpers.errors import EngineFailed
from tests.client.servers import scripted


def answer(status: int, body: str = "{}") -> bytes:
    return f"HTTP/1.1 {status} Answer\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


def server(url: str, **more: str) -> SimpleNamespace:
    return SimpleNamespace(url=url, model="m", engine="e", precision="f16", **more)


@pytest.mark.parametrize(
    ("statuses", "fixed_output"),
    [([200], True), ([400, 200], False), ([422, 200], False), ([503], True), ([429], True)],
)
def test_a_server_that_refuses_ignore_eos_is_asked_without(statuses: list[int], fixed_output: bool):
    with scripted([answer(status) for status in statuses]) as url:
        assert find_target(server(url)).fixed_output is fixed_output


@pytest.mark.parametrize("statuses", [[401], [404], [400, 400]])
def test_a_refusal_stops_before_the_load(statuses: list[int]):
    with (
        scripted([answer(status, '{"error": {"message": "no such model"}}') for status in statuses]) as url,
        pytest.raises(EngineFailed) as caught,
    ):
        find_target(server(url))
    assert caught.value.cause == f"HTTP {statuses[-1]}: no such model"


def test_the_key_is_kept_out_of_what_is_written():
    with scripted([answer(200)]) as url:
        target = find_target(server(url, api_key="secret"))
    assert target.api_key == "secret"
    assert "secret" not in f"{target} {target.to_json()}"
