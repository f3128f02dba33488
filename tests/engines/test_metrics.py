import http.server
import threading

import pytest

from helpers.engines import metrics
from helpers.errors import EngineFailed

PAGE = b"""# HELP x y
engine:running 2.0
engine:tokens_total{kind="a b",model="m"} 3
engine:tokens_total{kind="c"} 4 1395066363000
engine:wait_seconds_bucket{le="0.1"} 9
engine:use NaN
nonsense
"""


def test_series_of_one_name_are_summed_and_buckets_left_out() -> None:
    values = metrics.parse(PAGE.decode())
    assert values.pop("engine:use") != values.get("engine:use")
    assert values == {"engine:running": 2.0, "engine:tokens_total": 7.0}


@pytest.fixture
def page_url():
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/metrics" else 404)
            self.end_headers()
            self.wfile.write(PAGE)

        def log_message(self, *arguments: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_scrape_translates_names_and_drops_others(page_url: str) -> None:
    names = {"engine:running": "requests_running", "engine:absent": "requests_waiting"}
    assert metrics.scrape(page_url + "/metrics", names) == {"requests_running": 2.0}


def test_an_engine_without_metrics_has_none(page_url: str) -> None:
    assert metrics.scrape(page_url + "/elsewhere", {}) == {}


def test_no_engine_is_an_error() -> None:
    with pytest.raises(EngineFailed, match="nothing listens"):
        metrics.scrape("http://127.0.0.1:9/metrics", {})
