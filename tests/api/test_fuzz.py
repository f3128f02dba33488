"""Whatever is sent, the gateway answers or closes; it never fails by itself, and it goes on.

Few requests of each kind; benchmarks/gateway_drill.py sends 100,000.
"""

from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, settings

from helpers.api.app import create_app
from helpers.api.settings import Limits, Settings, UpstreamSettings
from tests.api.fuzzing import is_own_failure, post_randomly, write_randomly
from tests.api.gateways import Gateway, gateway, until
from tests.api.test_ollama import engine
from tests.api.upstreams import upstream

REQUESTS, EXAMPLES = 400, 12

described = schemathesis.openapi.from_dict(
    create_app(Settings((UpstreamSettings("m", ("http://127.0.0.1:9",)),), database="sqlite://")).openapi()
)


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with (
        upstream(engine) as behind,
        gateway(tmp_path_factory.mktemp("fuzz"), behind.url, limits=Limits(max_body_bytes=100_000)) as front,
    ):
        yield front


@described.parametrize()
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_described_api_never_fails_by_itself(case: schemathesis.Case, front: Gateway) -> None:
    response = case.call(base_url=front.root, timeout=30)
    assert not is_own_failure(response.status_code), response.text
    if response.status_code == 502:
        # The test's engine fails at what real ones refuse; that it did is what the gateway must say.
        assert "engine" in response.text


def test_random_bodies_and_headers_get_an_answer_each(front: Gateway) -> None:
    for sent, status, said in post_randomly(front.root, REQUESTS, seed=5):
        assert status, sent
        assert not is_own_failure(status), (sent, said)
    assert front.chat().status_code == 200


def test_random_bytes_on_the_wire_break_nothing(front: Gateway) -> None:
    for sent, status, said in write_randomly(front.root, REQUESTS, seed=6):
        assert status < 500, (sent, said)
    assert front.chat().status_code == 200
    until(lambda: (front.state.running, front.state.queue.in_flight) == (0, 0))
