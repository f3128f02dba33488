"""Plans for tests: options by name, completed and planned."""

from typing import Any

from helpers.engines import registry
from helpers.engines.adapter import complete
from helpers.engines.plan import LaunchPlan, ServeConfig


def plan(engine: str, model: str = "qwen3-8b", **options: Any) -> LaunchPlan:
    adapter = registry.choose(engine, model, options.get("container"))
    config = ServeConfig.build(engine=engine, model=model, port=options.pop("port", 8000), **options)
    return adapter.plan(complete(adapter, config))
