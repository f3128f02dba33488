"""One HTTP server per engine: health, models, a chat stream with its peculiar fields, and its metrics.

Protocols: sglang 0.5.23 (wheel), TensorRT-LLM docs of trtllm-serve, Ollama's docs/api.md, llama.cpp's server README.
"""

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

METRICS = Path(__file__).parent.parent.parent / "data" / "metrics"
OWNERS = {
    "vllm": "vllm",
    "sglang": "sglang",
    "tensorrt-llm": "tensorrt_llm",
    "ollama": "library",
    "llama.cpp": "llamacpp",
}
MODEL = "qwen3-8b"
WORDS = ("Hel", "lo", ".")
USAGE = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}

ITERATION = {
    "iter": 154,
    "iterLatencyMS": 7.0,
    "gpuMemUsage": 76665782272,
    "numActiveRequests": 2,
    "numQueuedRequests": 1,
    "kvCacheStats": {"maxNumBlocks": 1000, "usedNumBlocks": 250, "freeNumBlocks": 750, "tokensPerBlock": 32},
    "specDecodingStats": {"numDraftTokens": 8, "numAcceptedTokens": 4, "acceptanceLength": 3.0},
}


class ContractServer(ThreadingHTTPServer):
    """A fake of one engine.

    Attributes:
        engine: whose protocol it speaks.
        prometheus: whether TensorRT-LLM's Prometheus page exists (its older releases have none).
        iterations: what its /metrics will give, once.
    """

    daemon_threads = True

    def __init__(self, engine: str, *, prometheus: bool = True) -> None:
        self.engine = engine
        self.prometheus = prometheus
        self.iterations: list[dict[str, Any]] = [{**ITERATION, "iter": 153, "numActiveRequests": 9}, ITERATION]
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: ContractServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        engine, path = self.server.engine, self.path
        if path == "/v1/models":
            self.answer({"object": "list", "data": [{"id": MODEL, "object": "model", "owned_by": OWNERS[engine]}]})
        elif path == "/health" and engine != "ollama":
            self.answer({"status": "ok"} if engine == "llama.cpp" else "")
        elif path == "/metrics" and engine == "tensorrt-llm":
            queue, self.server.iterations = self.server.iterations, []
            self.answer(queue)
        elif path == self.metrics_path() and (self.server.prometheus or engine != "tensorrt-llm"):
            self.answer((METRICS / f"{engine}.txt").read_text())
        elif path == "/api/version" and engine == "ollama":
            self.answer({"version": "0.33.0"})
        elif path == f"/v1/models/{MODEL}" and engine == "ollama":
            self.answer({"id": MODEL, "object": "model", "owned_by": "library"})
        else:
            self.answer({"error": "not found"}, status=404)

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/api/chat" and self.server.engine == "ollama":
            lines = "".join(json.dumps(each) + "\n" for each in ollama_chat())
            self.answer(lines, kind="application/x-ndjson")
        elif self.path == "/v1/chat/completions" and request.get("stream"):
            events = "".join(f"data: {json.dumps(each)}\n\n" for each in chat_chunks(self.server.engine))
            self.answer(events + "data: [DONE]\n\n", kind="text/event-stream")
        else:
            self.answer({"error": "not found"}, status=404)

    def metrics_path(self) -> str:
        paths = {"tensorrt-llm": "/prometheus/metrics", "ollama": ""}
        return paths.get(self.server.engine, "/metrics")

    def answer(self, content: object, status: int = 200, kind: str = "") -> None:
        is_text = isinstance(content, str)
        body = content.encode() if isinstance(content, str) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind or ("text/plain" if is_text else "application/json"))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        pass


def chat_chunks(engine: str) -> list[dict[str, Any]]:
    """The chunks of one answer: reasoning first, `content` null beside it, then words, then usage."""
    reasoning_name = "reasoning" if engine in ("vllm", "ollama") else "reasoning_content"
    deltas: list[dict[str, Any]] = [
        {"role": "assistant", "content": "" if engine == "vllm" else None, reasoning_name: None},
        {"content": None, reasoning_name: "Greet"},
        {"content": None, reasoning_name: " them."},
        *({"content": word, reasoning_name: None} for word in WORDS),
    ]
    extra: dict[str, Any] = {}
    if engine == "sglang":
        extra = {"matched_stop": None}
    if engine == "tensorrt-llm":
        extra = {"avg_decoded_tokens_per_iter": 3.0}
    base = {"id": "chat-1", "object": "chat.completion.chunk", "created": 1, "model": MODEL}
    chunks = [{**base, "choices": [{"index": 0, "delta": delta, "finish_reason": None, **extra}]} for delta in deltas]
    chunks.append({**base, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop", **extra}]})
    last: dict[str, Any] = {**base, "choices": [], "usage": USAGE}
    if engine == "llama.cpp":
        last["timings"] = {"cache_n": 0, "prompt_n": 7, "prompt_ms": 3.5, "predicted_n": 5, "predicted_ms": 50.0}
    return [*chunks, last]


def ollama_chat() -> list[dict[str, Any]]:
    """Ollama's own stream: thinking first, and timings in nanoseconds at the end."""
    base = {"model": MODEL, "created_at": "2026-11-24T00:00:00Z"}
    return [
        {**base, "message": {"role": "assistant", "content": "", "thinking": "Greet them."}, "done": False},
        *({**base, "message": {"role": "assistant", "content": word}, "done": False} for word in WORDS),
        {
            **base,
            "message": {"role": "assistant", "content": ""},
            "done": True,
            "done_reason": "stop",
            "total_duration": 1_500_000_000,
            "load_duration": 1_000_000_000,
            "prompt_eval_count": 26,
            "prompt_eval_duration": 130_000_000,
            "eval_count": 5,
            "eval_duration": 250_000_000,
        },
    ]


@contextlib.contextmanager
def serving(engine: str, **options: Any) -> Iterator[ContractServer]:
    """A fake that answers until the block ends."""
    with ContractServer(engine, **options) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
