"""Everything the notebooks use: `import helpers`.

The names below are the public interface; each is imported from its module when it is first used, so that
`import helpers` itself costs nothing.
"""

import importlib
from typing import Any

PUBLIC = {
    "attach": "helpers.engines.attach",
    "check": "helpers.course.exercises",
    "Client": "helpers.client.openai",
    "CourseError": "helpers.errors",
    "EngineFailed": "helpers.errors",
    "EngineUnavailable": "helpers.errors",
    "ExerciseTodo": "helpers.course.exercises",
    "launch": "helpers.engines.launch",
    "LaunchPlan": "helpers.engines.plan",
    "milestone": "helpers.course.milestones",
    "Reply": "helpers.client.openai",
    "RequestFailed": "helpers.client.openai",
    "RequestRecord": "helpers.client.records",
    "run_folder": "helpers.course.milestones",
    "ServeConfig": "helpers.engines.plan",
    "Server": "helpers.engines.server",
    "UsageError": "helpers.errors",
}
"""Public name -> the module that holds it."""

__all__ = sorted(PUBLIC)


def __getattr__(name: str) -> Any:
    if name in PUBLIC:
        value = getattr(importlib.import_module(PUBLIC[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'helpers' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *PUBLIC])
