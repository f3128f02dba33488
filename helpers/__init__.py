"""Everything the notebooks use: `import helpers`.

The names below are the public interface; each is imported from its module when it is first used, so that
`import helpers` itself costs nothing.
"""

import importlib
from typing import Any

PUBLIC = {
    "acceptance": "helpers.bench.plots_cause",
    "answer_needs": "helpers.bench.findings",
    "app_source": "helpers.course.app_source",
    "AppProcess": "helpers.course.app_process",
    "attach": "helpers.engines.attach",
    "bootstrap": "helpers.bench.statistics",
    "build_report": "helpers.bench.report_sections",
    "Burst": "helpers.bench.arrivals",
    "bytes_per_weight": "helpers.bench.roofline",
    "calibrate": "helpers.bench.calibrate",
    "check": "helpers.course.exercises",
    "choose_profile": "helpers.hardware",
    "class_prompts": "helpers.bench.workloads",
    "Client": "helpers.client.openai",
    "ClosedLoop": "helpers.bench.arrivals",
    "compare": "helpers.bench.runner",
    "Comparison": "helpers.bench.results",
    "comparison": "helpers.bench.plots_cause",
    "computed_step": "helpers.bench.published",
    "ConstantRate": "helpers.bench.arrivals",
    "counted_acceptance": "helpers.bench.speculated",
    "CourseError": "helpers.errors",
    "decode_points": "helpers.bench.steps",
    "decode_step": "helpers.bench.roofline",
    "device": "helpers.bench.published",
    "digits": "helpers.bench.units",
    "distributions": "helpers.bench.plots",
    "Drill": "helpers.course.drill",
    "DrillUpstreams": "helpers.course.drill_upstreams",
    "engine_rows": "helpers.bench.standings",
    "EngineFailed": "helpers.errors",
    "EngineUnavailable": "helpers.errors",
    "ExerciseTodo": "helpers.course.exercises",
    "Faults": "helpers.client.mock",
    "fit_step_time": "helpers.bench.cause",
    "fraction_of_limit": "helpers.bench.roofline",
    "GatewayProcess": "helpers.api.process",
    "given_prompts": "helpers.bench.workloads",
    "group_runs": "helpers.bench.groups",
    "import_results": "helpers.bench.importers",
    "Job": "helpers.bench.race",
    "Lap": "helpers.bench.race",
    "latency_throughput": "helpers.bench.plots",
    "launch": "helpers.engines.launch",
    "LaunchPlan": "helpers.engines.plan",
    "length_sweep": "helpers.bench.plots",
    "load_bundle": "helpers.bench.bundle",
    "load_curves": "helpers.bench.plots",
    "load_tokenizer": "helpers.models.tokenizer",
    "make_plan": "helpers.engines.planning",
    "measure": "helpers.bench.runner",
    "measure_limits": "helpers.bench.machine",
    "milestone": "helpers.course.milestones",
    "MissingError": "helpers.errors",
    "mixed_load": "helpers.bench.race",
    "MockServer": "helpers.client.mock",
    "model_shape": "helpers.bench.steps",
    "ModelShape": "helpers.bench.roofline",
    "new_folder": "helpers.course.milestones",
    "NotIdentifiable": "helpers.bench.cause",
    "Objective": "helpers.bench.metrics",
    "older_stars": "helpers.bench.published",
    "plot_blocks": "helpers.bench.plots_blocks",
    "plot_timeline": "helpers.bench.plots_timeline",
    "plot_waste": "helpers.bench.plots_blocks",
    "Poisson": "helpers.bench.arrivals",
    "prefill_points": "helpers.bench.steps",
    "prefill_step": "helpers.bench.roofline",
    "prompt_class": "helpers.models.prompts",
    "published": "helpers.bench.published",
    "PublishedFigure": "helpers.bench.published",
    "race": "helpers.bench.race",
    "Ramp": "helpers.bench.arrivals",
    "ratio": "helpers.bench.statistics",
    "read_hardware": "helpers.hardware",
    "read_trace": "helpers.engines.nano",
    "Replay": "helpers.bench.arrivals",
    "Reply": "helpers.client.reply",
    "Report": "helpers.bench.report",
    "RequestFailed": "helpers.client.reply",
    "RequestRecord": "helpers.client.records",
    "resolve": "helpers.models.catalogue",
    "roofline": "helpers.bench.plots_cause",
    "RooflinePoint": "helpers.bench.plots_cause",
    "Run": "helpers.bench.run",
    "run_folder": "helpers.course.milestones",
    "Section": "helpers.bench.report",
    "Selectors": "helpers.course.tour",
    "ServeConfig": "helpers.engines.plan",
    "Server": "helpers.engines.server",
    "shared_prefix": "helpers.bench.workloads",
    "stars": "helpers.bench.stars",
    "step_shares": "helpers.bench.plots_cause",
    "StepCost": "helpers.bench.roofline",
    "StepPoint": "helpers.bench.cause",
    "summarize": "helpers.bench.metrics",
    "Sweep": "helpers.bench.results",
    "sweep": "helpers.bench.runner",
    "Table": "helpers.bench.report",
    "table": "helpers.course.tables",
    "timeline": "helpers.bench.plots",
    "tour": "helpers.course.tour",
    "unique_prompts": "helpers.bench.workloads",
    "UsageError": "helpers.errors",
    "watch": "helpers.bench.watch",
    "Workload": "helpers.bench.workloads",
    "write_report": "helpers.bench.report",
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
