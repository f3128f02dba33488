"""Which upstreams live, and which models they have: asked all the time, so that no request has to find out."""

import asyncio
import logging
from typing import Any

import orjson

from helpers.api.refusal import UpstreamFailure
from helpers.api.routing import Router, Target
from helpers.api.settings import Timeouts

ANSWER_WITHIN_S = 5.0
DEAD_EVERY_S = 0.5
"""A dead upstream is asked this often, so that its return is noticed within a second."""

MOST_ANSWER_BYTES = 4 * 2**20
logger = logging.getLogger("gateway")


class Health:
    """One task for each target, from `start` to `stop`."""

    def __init__(self, router: Router, timeouts: Timeouts) -> None:
        self._router = router
        self._timeouts = timeouts
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Ask every target once, then keep asking; a target that does not answer is no error."""
        await asyncio.gather(*(self.check(target) for target in self._router.targets))
        self._tasks = [asyncio.create_task(self._watch(target)) for target in self._router.targets]

    async def stop(self) -> None:
        """Ask no more, and close what is connected."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for target in self._router.targets:
            target.pool.close()

    async def check(self, target: Target) -> None:
        """Ask a target for its models; that it answers is what makes it alive."""
        try:
            models = await read_models(target)
            if not target.alive:
                target.is_ollama = await is_ollama(target)
        except UpstreamFailure as failure:
            if target.alive:
                logger.warning("upstream %s is down: %s (%s)", target.name, failure.cause, failure)
            target.alive = False
            return
        if not target.alive:
            logger.info("upstream %s is up: %d models", target.name, len(models))
        target.alive = True
        if models != target.models:
            target.models = models
            self._router.refresh()

    async def _watch(self, target: Target) -> None:
        while True:
            await asyncio.sleep(self._timeouts.health_s if target.alive else DEAD_EVERY_S)
            try:
                await self.check(target)
            except Exception:  # our own bug: without the checks going on, this upstream would never come back
                target.alive = False
                logger.exception("the health check of upstream %s broke", target.name)


async def ask(target: Target, method: str, path: str) -> tuple[int, bytes]:
    """Status and body of a short request.

    Raises:
        UpstreamFailure: there was no answer in time.
    """
    connection = await target.pool.request(target.encode(path, b"", method=method), "a health check", ANSWER_WITHIN_S)
    try:
        return connection.status, await connection.read_all(MOST_ANSWER_BYTES)
    finally:
        target.pool.release(connection)


async def read_models(target: Target) -> dict[str, dict[str, Any]]:
    """A target's models by id, each as the engine describes it.

    Raises:
        UpstreamFailure: no answer, or not the answer of an OpenAI-compatible engine.
    """
    status, body = await ask(target, "GET", f"{target.endpoint.base}/models")
    if status != 200:
        raise UpstreamFailure("status", f"/v1/models answers {status}", status)
    try:
        return {str(model["id"]): model for model in orjson.loads(body)["data"] or []}
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise UpstreamFailure("foreign", "/v1/models is not an OpenAI list") from error


async def is_ollama(target: Target) -> bool:
    """True if the target speaks the Ollama API itself.

    Raises:
        UpstreamFailure: there was no answer in time.
    """
    status, body = await ask(target, "GET", f"{target.endpoint.root}/api/version")
    return status == 200 and b'"version"' in body
