"""Pulls and creations of models. They belong to the gateway, not to a page: a reload finds them again."""

import asyncio
import hashlib
import logging
import shutil
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from helpers.errors import CourseError
from helpers.ui.advice import advise
from helpers.ui.gateway import Gateway, GatewayError

PIECE_BYTES = 1 << 20
logger = logging.getLogger("gateway")


@dataclass(slots=True)
class Layer:
    """One file of a model."""

    completed_bytes: int = 0
    total_bytes: int = 0


@dataclass(slots=True, eq=False)
class Job:
    """One pull or creation.

    Attributes:
        owner: the id of the key that began it.
        status: what the engine says it is doing.
        layers: by digest, in the order in which they came.
        state: running, done, failed, cancelled.
        version: grows with every change.
    """

    title: str
    owner: str
    status: str = "starting"
    layers: dict[str, Layer] = field(default_factory=dict)
    state: str = "running"
    error: str = ""
    version: int = 0
    task: "asyncio.Task[None] | None" = None

    @property
    def share(self) -> float | None:
        """How much of all known layers is there, 0 to 1; None while no size is known."""
        total = sum(layer.total_bytes for layer in self.layers.values())
        return sum(layer.completed_bytes for layer in self.layers.values()) / total if total else None

    def note(self, line: dict[str, Any]) -> None:
        """Take in a line of Ollama's progress.

        Raises:
            GatewayError: the line is an error.
        """
        self.version += 1
        if "error" in line:
            error = line["error"]
            raise GatewayError(0, str(error.get("message", error) if isinstance(error, dict) else error))
        self.status = str(line.get("status", ""))
        if (digest := line.get("digest")) and line.get("total"):
            layer = self.layers.setdefault(digest, Layer())
            layer.total_bytes = int(line["total"])
            layer.completed_bytes = max(layer.completed_bytes, int(line.get("completed") or 0))


class Jobs:
    """All jobs since the gateway's start that nobody has dismissed."""

    def __init__(self) -> None:
        self.all: list[Job] = []

    def of(self, owner: str) -> list[Job]:
        """An owner's jobs, the latest first."""
        return [job for job in reversed(self.all) if job.owner == owner]

    def pull(self, gateway: Gateway, owner: str, model: str) -> Job:
        """Begin to pull a model."""
        job = Job(f"Pull {model}", owner)
        return self._begin(job, _follow(job, gateway, "/api/pull", {"model": model, "stream": True}))

    def create(
        self, gateway: Gateway, owner: str, model: str, fields: dict[str, Any], gguf: Path | None, temporary: bool
    ) -> Job:
        """Begin to create a model from a Modelfile's fields, or from a GGUF file; a temporary one's folder goes."""
        job = Job(f"Create {model}", owner)
        return self._begin(job, _create(job, gateway, model, fields, gguf, temporary))

    async def cancel(self, job: Job) -> None:
        """End a job; what Ollama has of it so far it keeps, and a later pull goes on from there."""
        if job.task is not None:
            job.task.cancel()
            await asyncio.gather(job.task, return_exceptions=True)

    def dismiss(self, job: Job) -> None:
        """Show it no more; another tab may have said so already."""
        if job in self.all:
            self.all.remove(job)

    async def close(self) -> None:
        """End all jobs."""
        await asyncio.gather(*(self.cancel(job) for job in self.all))

    def _begin(self, job: Job, work: Coroutine[Any, Any, None]) -> Job:
        self.all.append(job)
        job.task = asyncio.create_task(_watch(job, work))
        return job


async def _watch(job: Job, work: Coroutine[Any, Any, None]) -> None:
    try:
        await work
        job.state, job.status = "done", "done"
    except asyncio.CancelledError:
        job.state, job.status = "cancelled", "cancelled"
    except GatewayError as refused:
        job.state, job.error = "failed", advise(refused.message, refused.status)
    except (CourseError, OSError) as error:
        job.state, job.error = "failed", advise(str(error).splitlines()[0])
    except Exception:  # our own bug: nobody awaits this task, so that the page has to say it
        logger.exception("the job %s of the models page broke", job.title)
        job.state, job.error = "failed", advise("The gateway failed; its log says why")
    job.version += 1


async def _follow(job: Job, gateway: Gateway, path: str, fields: dict[str, Any]) -> None:
    """Send a request and note its progress; its last line is a success, or it was cut.

    Raises:
        GatewayError: refused, failed on the way, or cut.
    """
    async with gateway.send("POST", path, orjson.dumps(fields)) as answer:
        async for line in answer.lines():
            job.note(line)
    if job.status != "success":
        raise GatewayError(0, "The connection to Ollama ended before the model was complete")


async def _create(
    job: Job, gateway: Gateway, model: str, fields: dict[str, Any], gguf: Path | None, temporary: bool
) -> None:
    try:
        if gguf is not None:
            job.status = "reading the file"
            digest = "sha256:" + await asyncio.to_thread(_digest, gguf)
            await _upload(job, gateway, gguf, digest)
            fields = {name: value for name, value in fields.items() if name != "from"} | {"files": {gguf.name: digest}}
        await _follow(job, gateway, "/api/create", {"model": model, **fields, "stream": True})
    finally:
        if gguf is not None and temporary:
            shutil.rmtree(gguf.parent)


async def _upload(job: Job, gateway: Gateway, file: Path, digest: str) -> None:
    try:
        await gateway.ask("HEAD", f"/api/blobs/{digest}")
        return
    except GatewayError as refused:
        if refused.status != 404:
            raise
    layer = job.layers[digest] = Layer(0, file.stat().st_size)
    job.status = "handing the file to Ollama"

    async def pieces() -> AsyncIterator[bytes]:
        with file.open("rb") as opened:
            while piece := await asyncio.to_thread(opened.read, PIECE_BYTES):
                yield piece
                layer.completed_bytes += len(piece)
                job.version += 1

    async with gateway.send("POST", f"/api/blobs/{digest}", pieces(), layer.total_bytes) as answer:
        await answer.read()


def _digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
