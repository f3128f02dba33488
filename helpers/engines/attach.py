"""Attach to a server that somebody else runs: any OpenAI-compatible URL."""

from helpers.client.answers import error_message, quote
from helpers.client.wire import Endpoint
from helpers.engines import lease, metrics, probe, registry
from helpers.engines.plan import close_match
from helpers.engines.server import Server
from helpers.errors import EngineFailed, UsageError

OWNERS = {
    "llamacpp": "llama.cpp",
    "vllm": "vllm",
    "sglang": "sglang",
    "tensorrt_llm": "tensorrt-llm",
    "library": "ollama",
    "nano": "nano",
}
"""`owned_by` in /v1/models -> the engine."""

LOOPBACK = ("127.0.0.1", "localhost", "::1")
"""An engine there shares this machine with whoever measures on it."""


def attach(url: str, *, model: str = "", engine: str = "", precision: str = "as served", api_key: str = "") -> Server:
    """Use a running server; `stop()` leaves it running.

    Args:
        url: with or without /v1.
        model: the model to ask for; empty: the first that it lists.
        engine: its engine's name; empty: what it says of itself, else `attached`.
        precision: of its weights, where you know it.
        api_key: bearer token.

    Raises:
        UsageError: the URL is none, or the server has no such model.
        EngineFailed: nothing answers there, or no OpenAI-compatible server does.
    """
    endpoint = Endpoint.parse(url)
    host = f"{'https' if endpoint.tls else 'http'}://{endpoint.authority}"
    root, base = host + endpoint.root, host + endpoint.base
    listed = _list_models(base, api_key)
    ids = [str(entry["id"]) for entry in listed]
    if not model:
        if not ids:
            raise EngineFailed(f"{base} serves no model", "none is loaded there", "load one, or name it with model=")
        model = ids[0]
    elif ids and model not in ids:
        raise UsageError(f"{base} has no model {model!r}{close_match(model, ids)}", f"it has {', '.join(ids[:10])}")
    owner = next((str(entry.get("owned_by", "")) for entry in listed if entry["id"] == model), "")
    engine = engine or OWNERS.get(owner, "attached")
    # TensorRT-LLM's /metrics is a queue that is emptied by reading, and belongs to whoever reads it already.
    page = "/prometheus/metrics" if engine == "tensorrt-llm" else "/metrics"
    return Server(
        engine=engine,
        model=model,
        precision=precision,
        url=base,
        backend=f"{engine} at {endpoint.authority}, attached",
        read_metrics=lambda: metrics.scrape(root + page, registry.metric_names(), api_key=api_key),
        api_key=api_key,
        takes_turns=endpoint.host in LOOPBACK and lease.is_shared(),
    )


def _list_models(base: str, api_key: str) -> list[dict[str, object]]:
    answer = probe.get(f"{base}/models", api_key=api_key)
    ask = f"curl {base}/models"
    if answer.status is None:
        raise EngineFailed(answer.failure, "the server is not running, or the URL is wrong", ask)
    content = answer.value
    if answer.status in (401, 403):
        raise EngineFailed(
            f"{base} answered HTTP {answer.status}: {error_message(content) or quote(answer.body)}",
            "it wants a key, or another one",
            "attach(url, api_key=...), or set COURSE_API_KEY",
        )
    models = content.get("data") if isinstance(content, dict) else None
    if answer.status != 200 or not isinstance(models, list):
        raise EngineFailed(
            f"{base} is no OpenAI-compatible server: "
            f"GET /models answered HTTP {answer.status}: {error_message(content) or quote(answer.body)}",
            "another kind of server, or the wrong path",
            ask,
        )
    return [entry for entry in models if isinstance(entry, dict) and "id" in entry]
