"""Engines that somebody else starts on request and owns: what `launch` does where COURSE_ENGINE_BROKER is set.

    POST   BROKER/engines        {"engine", "model", "options"} -> {"number", "url", "model", ..., "plan"}, or {"error"}
    DELETE BROKER/engines/N      ends it

The owner has the engine's counters and log at first hand. A grader works like this: the notebook that asks can neither
reach the engine's process nor say what it counted.
"""

import http.client
from typing import Any

from helpers.client.plain import ask
from helpers.client.wire import Endpoint
from helpers.engines import metrics, registry
from helpers.engines.plan import LaunchPlan, ServeConfig
from helpers.engines.server import Server
from helpers.errors import CourseError, EngineFailed, EngineUnavailable, MissingError, UsageError

START_LIMIT_S = 600.0
"""How long the broker may take to answer: an engine may load, and others may be asked for before."""

KINDS: dict[str, type[CourseError]] = {
    kind.__name__: kind for kind in (UsageError, MissingError, EngineUnavailable, EngineFailed)
}


class BrokeredServer(Server):
    """A server whose process belongs to the broker; `stop()` asks it to end it."""

    def __init__(self, endpoint: Endpoint, number: int, **facts: Any) -> None:
        super().__init__(**facts)
        self._endpoint = endpoint
        self._number = number

    def stop(self) -> None:
        """Have the engine ended. May be repeated."""
        if not self._stopped:
            _ask(self._endpoint, "DELETE", f"/engines/{self._number}")
        super().stop()


def launch(broker: str, config: ServeConfig, beside: bool) -> Server:
    """Have an engine started.

    Raises:
        UsageError, MissingError, EngineUnavailable, EngineFailed: as `helpers.engines.launch.launch`.
    """
    endpoint = Endpoint.parse(broker)
    options = {name: value for name, value in config.changed().items() if name not in ("engine", "model")}
    asked = {"engine": config.engine, "model": config.model, "beside": beside, "options": options}
    answer = _ask(endpoint, "POST", "/engines", asked)
    if "error" in answer:
        told = answer["error"]
        raise KINDS.get(told["kind"], EngineFailed)(told["what"], told["cause"], told["next"])
    plan = LaunchPlan(**{**answer["plan"], "argv": tuple(answer["plan"]["argv"])})
    return BrokeredServer(
        endpoint,
        answer["number"],
        engine=answer["engine"],
        model=answer["model"],
        precision=answer["precision"],
        url=answer["url"],
        backend=answer["backend"],
        read_metrics=lambda: metrics.scrape(plan.urls["metrics"], registry.metric_names()),
        plan=plan,
    )


def _ask(endpoint: Endpoint, method: str, path: str, payload: dict[str, Any] | None = None) -> dict[str, Any]:
    try:
        answer = ask(endpoint, method, f"{endpoint.root}{path}", payload, timeout_s=START_LIMIT_S)
    except (OSError, http.client.HTTPException) as error:
        raise EngineFailed(f"the broker of engines does not answer: {error}", "it has ended") from error
    if not isinstance(answer.value, dict):
        raise EngineFailed(f"the broker of engines answered HTTP {answer.status} and no JSON object")
    return answer.value
