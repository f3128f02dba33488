"""Everything the notebooks use: `import helpers`.

The names below are the public interface; each is imported from its module when it is first used, so that
`import helpers` itself costs nothing.
"""

import importlib
from typing import Any

PUBLIC = {
    "attach": "helpers.engines.attach",
    "Burst": "helpers.bench.arrivals",
    "calibrate": "helpers.bench.calibrate",
    "check": "helpers.course.exercises",
    "class_prompts": "helpers.bench.workloads",
    "Client": "helpers.client.openai",
    "ClosedLoop": "helpers.bench.arrivals",
    "compare": "helpers.bench.runner",
    "Comparison": "helpers.bench.results",
    "ConstantRate": "helpers.bench.arrivals",
    "CourseError": "helpers.errors",
    "EngineFailed": "helpers.errors",
    "EngineUnavailable": "helpers.errors",
    "ExerciseTodo": "helpers.course.exercises",
    "Faults": "helpers.client.mock",
    "given_prompts": "helpers.bench.workloads",
    "launch": "helpers.engines.launch",
    "LaunchPlan": "helpers.engines.plan",
    "load_bundle": "helpers.bench.bundle",
    "measure": "helpers.bench.runner",
    "milestone": "helpers.course.milestones",
    "MockServer": "helpers.client.mock",
    "new_folder": "helpers.course.milestones",
    "Poisson": "helpers.bench.arrivals",
    "Ramp": "helpers.bench.arrivals",
    "Replay": "helpers.bench.arrivals",
    "Reply": "helpers.client.openai",
    "RequestFailed": "helpers.client.openai",
    "RequestRecord": "helpers.client.records",
    "Run": "helpers.bench.run",
    "run_folder": "helpers.course.milestones",
    "ServeConfig": "helpers.engines.plan",
    "Server": "helpers.engines.server",
    "shared_prefix": "helpers.bench.workloads",
    "sweep": "helpers.bench.runner",
    "Sweep": "helpers.bench.results",
    "unique_prompts": "helpers.bench.workloads",
    "UsageError": "helpers.errors",
    "Workload": "helpers.bench.workloads",
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
