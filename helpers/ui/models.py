"""Models for people: which there are, whose they are, and how much they can read at once."""

from dataclasses import dataclass
from typing import Any

from helpers.api.ollama_admin import context_tokens
from helpers.ui.gateway import Gateway, GatewayError


@dataclass(frozen=True, slots=True)
class Model:
    """A model that can be asked.

    Attributes:
        upstream: whose it is.
        context_tokens: what it can read and write at most; None if nobody says.
        live_timings: whether the engine tells its timings within a stream when asked to (llama.cpp).
    """

    name: str
    upstream: str
    context_tokens: int | None
    live_timings: bool

    @classmethod
    def from_json(cls, entry: dict[str, Any]) -> "Model":
        """Read an entry of /v1/models."""
        meta = entry.get("meta")
        served = meta.get("n_ctx") if isinstance(meta, dict) else None
        length = served if isinstance(served, int) else context_tokens(entry)
        return cls(entry["id"], str(entry.get("owned_by", "")), length, isinstance(meta, dict))


async def list_models(gateway: Gateway) -> dict[str, Model]:
    """The models of all upstreams by name; where an Ollama tells a model's context, that is taken.

    Raises:
        GatewayError: refused.
    """
    listed = await gateway.ask("GET", "/v1/models")
    return {entry["id"]: Model.from_json(entry) for entry in listed["data"]}


async def ollama_context(gateway: Gateway, name: str) -> int | None:
    """The context that an Ollama has loaded a model with, or that the model was made for; None if it does not say."""
    try:
        running = await gateway.ask("GET", "/api/ps")
        for entry in running["models"]:
            if entry.get("name") == name and entry.get("context_length"):
                return int(entry["context_length"])
        shown = await gateway.ask("POST", "/api/show", {"model": name})
    except GatewayError:
        return None
    lengths = [value for key, value in (shown.get("model_info") or {}).items() if key.endswith(".context_length")]
    return int(lengths[0]) if lengths else None
