import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

import helpers
from helpers.engines import registry
from helpers.errors import EngineFailed, UsageError

OLLAMA_HOME = b"Ollama is running"


@contextmanager
def web_server(status: int, body: bytes, wanted_key: str = "") -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            refused = wanted_key and self.headers.get("Authorization") != f"Bearer {wanted_key}"
            self.send_response(401 if refused else status)
            self.end_headers()
            self.wfile.write(b'{"error": {"message": "no valid key"}}' if refused else body)

        def log_message(self, *arguments: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def listing(*ids: str, owner: str = "vllm") -> bytes:
    return json.dumps({"data": [{"id": name, "owned_by": owner} for name in ids]}).encode()


@pytest.mark.parametrize("suffix", ["", "/", "/v1", "/v1/"])
def test_with_or_without_v1_the_first_model_is_taken(suffix: str) -> None:
    with web_server(200, listing("first", "second")) as url:
        server = helpers.attach(url + suffix)
        assert (server.url, server.model, server.engine) == (f"{url}/v1", "first", "vllm")
        assert server.precision == "as served"
        assert server.pid is None
        assert server.log() == ""


def test_names_that_are_given_are_kept() -> None:
    with web_server(200, listing("first", "second", owner="someone")) as url:
        assert helpers.attach(url).engine == "attached"
        server = helpers.attach(url, model="second", engine="sglang", precision="fp8")
        assert (server.model, server.engine, server.precision) == ("second", "sglang", "fp8")


def test_a_model_it_does_not_have_is_refused() -> None:
    with web_server(200, listing("llama-8b")) as url, pytest.raises(UsageError, match="did you mean llama-8b"):
        helpers.attach(url, model="llama-8")


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (200, b"<html>Welcome to nginx</html>", "no OpenAI-compatible server.*HTTP 200: <html>Welcome to nginx"),
        (404, OLLAMA_HOME, "HTTP 404: Ollama is running"),
        (404, b'{"detail": "Not Found"}', "HTTP 404: Not Found"),
        (500, b"", "HTTP 500: nothing"),
        (200, b'{"data": "text"}', "no OpenAI-compatible server"),
        (200, b'{"data": []}', "serves no model"),
    ],
)
def test_another_kind_of_server_is_told_with_what_it_answered(status: int, body: bytes, message: str) -> None:
    with web_server(status, body) as url, pytest.raises(EngineFailed, match=message):
        helpers.attach(url)


def test_nothing_there_is_told() -> None:
    with pytest.raises(EngineFailed, match=r"nothing listens at 127\.0\.0\.1:9"):
        helpers.attach("http://127.0.0.1:9")


@pytest.mark.parametrize("url", ["", "127.0.0.1:8000", "ftp://host", "http://", "http://host:port"])
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="is no"):
        helpers.attach(url)


def test_a_key_is_sent_and_its_lack_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with web_server(200, listing("m"), wanted_key="secret") as url:
        with pytest.raises(EngineFailed, match=r"(?s)no valid key.*COURSE_API_KEY"):
            helpers.attach(url)
        assert helpers.attach(url, api_key="secret").model == "m"
        monkeypatch.setenv("COURSE_API_KEY", "secret")
        assert helpers.launch("attach", url=url).model == "m"


def test_launch_attaches_to_the_url_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    with web_server(200, listing("first", "second")) as url:
        monkeypatch.setenv("COURSE_ENGINE_URL", url)
        monkeypatch.setenv("COURSE_ENGINE_MODEL", "second")
        monkeypatch.setenv("COURSE_ENGINE_NAME", "graders")
        with helpers.launch("llama.cpp", precision="q8_0") as server:
            assert (server.engine, server.model, server.precision) == ("graders", "second", "as served")
        with pytest.raises(UsageError, match="did you mean precision"):
            helpers.launch("llama.cpp", precison="q8_0")
        with pytest.raises(UsageError, match=r"did you mean llama\.cpp"):
            helpers.launch("lama.cpp")


@pytest.mark.parametrize("arguments", [{"engine": "attach"}, {"engine": "llama.cpp", "url": "http://h"}])
def test_a_url_goes_with_attach_only(arguments: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="a url goes with"):
        helpers.launch(**arguments)


def test_metrics_of_an_unknown_engine_are_found_by_their_names(tiny_model: str) -> None:
    with helpers.launch("llama.cpp", tiny_model) as launched:
        attached = helpers.attach(launched.url)
        assert attached.engine == "llama.cpp"
        attached.chat("hi", max_tokens=3)
        assert attached.metrics()["output_tokens_total"] == 3
        attached.stop()
        assert launched.chat("hi", max_tokens=3).usage.output_tokens == 3
    assert set(registry.metric_names()) >= {"llamacpp:requests_processing"}
