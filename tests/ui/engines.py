"""What stands behind the gateway in these tests: an engine that answers as its prompt says, and an Ollama to manage."""

import asyncio
import json
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from tests.api.upstreams import DONE, Reply, Sent, chunk, usage
from tests.ui.test_markdown import INJECTIONS

CODE = "Some **bold** words.\n\n```python\ndef answer():\n    return 42\n```\n\nAnd an end."
PULLED_BYTES = 4_000_000
PIECES = 8


async def answer_as_told(sent: Sent, reply: Reply) -> None:
    """/v1/chat/completions: the last message's first word says how to answer."""
    if sent.path != "/v1/chat/completions":
        await reply.whole({"error": "not found"}, 404)
        return
    said = sent.fields["messages"][-1]["content"]
    word = said.split()[0].lower() if said.split() else ""
    if word == "too-long":
        message = "This model's maximum context length is 4096 tokens; the request has 9000."
        await reply.whole({"error": {"message": message}}, 400)
    elif word == "die":
        await reply.stream(chunk("Half an "), chunk("answer"), end=False)
        reply.cut()
    elif word == "forever":
        await reply.stream(end=False)
        for number in range(2000):
            piece = chunk(f"word{number} ")
            await reply.raw(b"%x\r\n%s\r\n" % (len(piece), piece))
            await asyncio.sleep(0.02)
    else:
        texts = {"code": CODE, "inject": "\n\n".join(INJECTIONS)}
        words = texts.get(word, f"You said: {said}")
        pieces = [chunk(words[start : start + 8]) for start in range(0, len(words), 8)]
        thoughts = [chunk(None, reasoning_content="Let me think.")] if word == "think" else []
        counts = usage(sum(len(message["content"]) for message in sent.fields["messages"]) // 4, len(pieces))
        await reply.stream(*thoughts, *pieces, chunk(finish="stop"), counts, DONE)


def described(name: str, size: int = 5_200_000_000) -> dict[str, Any]:
    """A model as Ollama lists it."""
    details = {"family": "qwen3", "parameter_size": "8.2B", "quantization_level": "Q4_K_M", "format": "gguf"}
    return {
        "name": name,
        "model": name,
        "size": size,
        "digest": sha256(name.encode()).hexdigest(),
        "modified_at": "2026-11-01T00:00:00Z",
        "details": details,
    }


@dataclass
class FakeOllama:
    """Ollama's administration over a dictionary; protocol: Ollama's docs/api.md. `handle` is an upstream's handler."""

    models: dict[str, dict[str, Any]] = field(default_factory=lambda: {"qwen3:8b": described("qwen3:8b")})
    loaded: set[str] = field(default_factory=lambda: {"qwen3:8b"})
    blobs: dict[str, bytes] = field(default_factory=dict)
    created: list[dict[str, Any]] = field(default_factory=list)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle(self, sent: Sent, reply: Reply) -> None:
        path = sent.path
        if path == "/api/version":
            await reply.whole({"version": "0.33.0"})
        elif path == "/api/tags":
            await reply.whole({"models": list(self.models.values())})
        elif path == "/api/ps":
            more = {"size_vram": 5_000_000_000, "context_length": 8192, "expires_at": "2026-11-24T12:34:56Z"}
            await reply.whole({"models": [self.models[name] | more for name in self.loaded if name in self.models]})
        elif path.startswith("/api/blobs/"):
            await self._blob(sent, reply)
        elif path == "/v1/chat/completions":
            await answer_as_told(sent, reply)
        else:
            await self._change(path, sent.fields, reply)

    async def _change(self, path: str, fields: dict[str, Any], reply: Reply) -> None:
        name = fields.get("model", "")
        if path == "/api/show" and name in self.models:
            await reply.whole(
                {
                    "details": self.models[name]["details"],
                    "model_info": {"general.architecture": "qwen3", "qwen3.context_length": 40960},
                    "template": "{{ .Prompt }}",
                    "parameters": "temperature 0.6",
                    "license": "Apache License 2.0",
                    "capabilities": ["completion", "thinking"],
                }
            )
        elif path == "/api/delete" and name in self.models:
            del self.models[name]
            await reply.whole(b"")
        elif path == "/api/copy" and fields["source"] in self.models:
            self.models[fields["destination"]] = described(fields["destination"])
            await reply.whole(b"")
        elif path == "/api/generate":
            self.loaded.discard(name)
            await reply.whole({"model": name, "response": "", "done": True, "done_reason": "unload"})
        elif path == "/api/pull":
            await self._pull(name, reply)
        elif path == "/api/create":
            self.created.append(fields)
            self.models[name] = described(name)
            await reply.stream(line(status="creating"), line(status="success"), kind="application/x-ndjson")
        else:
            await reply.whole({"error": f"model '{name}' not found"}, 404)

    async def _pull(self, name: str, reply: Reply) -> None:
        if name == "no-such-model":
            error = line(error="pull model manifest: file does not exist")
            await reply.stream(line(status="pulling manifest"), error, kind="application/x-ndjson")
            return
        digest = "sha256:" + sha256(name.encode()).hexdigest()
        await reply.stream(line(status="pulling manifest"), kind="application/x-ndjson", end=False)
        for number in range(1, PIECES + 1):
            done = PULLED_BYTES * number // PIECES
            progress = line(status=f"pulling {digest[7:19]}", digest=digest, total=PULLED_BYTES, completed=done)
            await reply.raw(b"%x\r\n%s\r\n" % (len(progress), progress))
            if number == PIECES // 2:
                if name == "too-large":
                    full = line(error="write /models/blobs: no space left on device")
                    await reply.raw(b"%x\r\n%s\r\n0\r\n\r\n" % (len(full), full))
                    return
                # Like Ollama, it says again how far it is: that is how it notices that nobody listens any more.
                while not self.go_on.is_set():
                    await asyncio.sleep(0.05)
                    await reply.raw(b"%x\r\n%s\r\n" % (len(progress), progress))
        self.models[name] = described(name, PULLED_BYTES)
        end = line(status="success")
        await reply.raw(b"%x\r\n%s\r\n0\r\n\r\n" % (len(end), end))

    async def _blob(self, sent: Sent, reply: Reply) -> None:
        digest = sent.path.rpartition("/")[2]
        if sent.method == "HEAD":
            await reply.raw(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % (200 if digest in self.blobs else 404))
        elif digest == "sha256:" + sha256(sent.body).hexdigest():
            self.blobs[digest] = sent.body
            await reply.whole(b"", 201)
        else:
            await reply.whole({"error": "digest mismatch"}, 400)


def line(**fields: Any) -> bytes:
    """A line of NDJSON."""
    return json.dumps(fields).encode() + b"\n"
