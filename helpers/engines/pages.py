"""The documentation page of each engine, made from the catalogue, the adapters and the recorded runs, so that it cannot
drift from them. `./course build` writes them to docs/engines.
"""

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from helpers.config import ROOT, read_settings
from helpers.engines import catalog, legacy, registry, survey
from helpers.engines.adapter import complete
from helpers.engines.catalog import Release
from helpers.engines.gpu_engine import GpuEngine
from helpers.engines.nano import Nano
from helpers.engines.plan import ServeConfig

EXAMPLE_MODEL = "qwen3-8b"
OWN_ENGINES = {
    "nano": (
        "The course's own engine: a paged KV cache, continuous batching, speculation and tensor parallelism in NumPy, "
        "written to be read (`helpers/nano`).",
        "seeing why an engine does what it does: every step can be traced, every mechanism switched off",
    ),
    "onnxruntime": (
        "An engine built ahead of time: the model as an ONNX graph, compiled and saved by ONNX Runtime, served by "
        "nano's scheduler and server (`helpers/aot`).",
        "seeing on any machine what building an engine gives and costs: build time, shape profile, precision",
    ),
}
"""Engines that come with the course -> what they are, what they are for."""

NOWHERE = "/nowhere"
"""A cache and a catalogue of one's own that are not there."""


def pages(root: Path = ROOT) -> dict[Path, str]:
    """Path -> text, for all engines, the older commands and the overview.

    Args:
        root: of the clone that the pages are for; its recorded runs are named.
    """
    folder = root / "docs" / "engines"
    with _without_own_settings():
        runs = survey.recorded_runs(root / "recorded")
        found = {f"{name}.md": engine_page(name, runs.get(name, survey.NEVER)) for name in catalog.engines()}
        found |= {f"{name}.md": own_engine_page(name, runs.get(name, survey.NEVER)) for name in OWN_ENGINES}
        found |= {"README.md": overview(runs), "older-commands.md": older_commands()}
    return {folder / name: text for name, text in found.items()}


def engine_page(name: str, has_run: str) -> str:
    """One engine: what it is, when to choose it, where it has run, how it is started, its metrics, what goes wrong."""
    entry = catalog.find(name)
    adapter = cast(GpuEngine, registry.choose(name, EXAMPLE_MODEL))
    parts = [
        f"# {entry.title}",
        entry.summary,
        f"Choose it for {entry.choose}.",
        "Documentation of the project: " + ", ".join(f"<{url}>" for url in entry.documentation),
        f"Has really run in this course: {has_run}.",
        "## What it can do\n\n" + _abilities(adapter),
        "## How it is started\n\n"
        f"`./course plan {name} --model {EXAMPLE_MODEL}` prints this and starts nothing. In a container:\n\n"
        + _plan(name, container=True)
        + "\n\nNative:\n\n"
        + _plan(name, container=False),
        "## Releases\n\n"
        + _table(
            ["release", "version", "form", "image or package", "checked", "source", "note"],
            [
                [r.name, r.version, r.kind, f"`{r.image or r.package}`", r.checked, r.source, _remarks(r)]
                for r in entry.releases
            ],
        ),
        "## Its metrics\n\n" + _metrics(adapter.metric_names, adapter.metrics_path),
        "## What goes wrong\n\n"
        + _table(["symptom", "cause", "fix"], [[p.symptom, p.cause, p.fix] for p in entry.pitfalls]),
    ]
    return "\n\n".join([*parts, GENERATED]) + "\n"


def own_engine_page(name: str, has_run: str) -> str:
    """An engine that is a part of the course, and needs no installation."""
    summary, choose = OWN_ENGINES[name]
    adapter = cast(Nano, registry.choose(name))
    plan = adapter.plan(complete(adapter, ServeConfig.build(engine=name, port=adapter.default_port)))
    command = plan.shell_lines.replace(sys.executable, "python").replace(str(ROOT), ".")
    parts = [
        f"# {name}",
        summary,
        f"Choose it for {choose}.",
        f"Has really run in this course: {has_run}.",
        "## What it can do\n\n" + _abilities(adapter),
        f'## How it is started\n\n`helpers.launch("{name}")`, `./course engines start {name}`, or by hand, as '
        f"`./course plan {name}` prints it:\n\n```sh\n{command}\n```",
        "\n".join(["At these addresses:\n", *(f"- {what}: `{url}`" for what, url in plan.urls.items())]),
        "\n".join(f"- {note}" for note in plan.notes),
        "## Its metrics\n\n" + _metrics(adapter.metric_names, "/metrics"),
    ]
    return "\n\n".join([*parts, GENERATED]) + "\n"


def overview(runs: dict[str, str]) -> str:
    """All engines beside each other."""
    rows = [
        [f"[{entry.title}]({name}.md)", entry.summary, entry.choose, str(entry.port), runs.get(name, survey.NEVER)]
        for name, entry in catalog.engines().items()
    ]
    for name, (summary, choose) in OWN_ENGINES.items():
        port = str(registry.choose(name).default_port)
        rows.append([f"[{name}]({name}.md)", summary, choose, port, runs.get(name, survey.NEVER)])
    return (
        "# The engines\n\n"
        + _table(["engine", "what it is", "choose it for", "port in this course", "has really run"], rows)
        + "\n\nCommands of older courses and posts: [what replaced them](older-commands.md).\n\n"
        + GENERATED
        + "\n"
    )


def older_commands() -> str:
    """What `legacy.explain_command` knows."""
    rows = [[f"`{rule.pattern}`", rule.why, rule.instead] for rule in legacy.RULES]
    return (
        "# Commands of older courses and posts\n\n"
        "`helpers.engines.legacy.explain_command(command)` finds these pieces (regular expressions) in a command.\n\n"
        + _table(["piece", "today", "instead"], rows)
        + "\n\n"
        + GENERATED
        + "\n"
    )


GENERATED = "Made by `./course build` from `catalog.toml`, the adapters and `recorded/`; do not edit it here."


@contextlib.contextmanager
def _without_own_settings() -> Iterator[None]:
    """What this user has set or installed must not get into a page."""
    saved = dict(os.environ)
    for name in [name for name in os.environ if name.startswith("COURSE_") or name == "HF_HOME"]:
        del os.environ[name]
    os.environ.update(COURSE_CACHE=NOWHERE, COURSE_CATALOG=f"{NOWHERE}/catalog.toml")
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(saved)


def _plan(name: str, *, container: bool) -> str:
    adapter = registry.choose(name, EXAMPLE_MODEL, container)
    options: dict[str, Any] = {"engine": name, "model": EXAMPLE_MODEL, "container": container}
    entry = catalog.find(name)
    # Which native release is taken depends on the machine; a page must not.
    options["extra"] = {"release": entry.container if container else entry.native}
    config = ServeConfig.build(port=adapter.default_port, **options)
    plan = adapter.plan(complete(adapter, config))
    settings = read_settings()
    text = plan.shell_lines.replace(str(settings.cache), "~/.cache/spark-inference")
    text = text.replace(f"-v {settings.hub}:", "-v ~/.cache/huggingface:")
    return f"```sh\n{text}\n```"


def _abilities(adapter: GpuEngine | Nano) -> str:
    can = adapter.capabilities
    known = {
        "quantizations": ", ".join(adapter.precisions),
        "speculation": ", ".join(kind for kind in adapter.speculations if kind != "none") or "none",
        "prefix caching": can.prefix_caching,
        "chunked prefill": can.chunked_prefill,
        "KV cache types": ", ".join(can.kv_cache_dtypes),
        "structured output": can.structured_output,
        "tensor parallelism": "yes" if can.tensor_parallel else "no",
        "several machines": can.multi_node or "no",
        "options of its own": ", ".join(f"`{extra}`" for extra in adapter.extra),
    }
    return _table(["", ""], [[key, value] for key, value in known.items()])


def _remarks(release: Release) -> str:
    unverified = f"not verified: {release.unverified}" if release.unverified else ""
    return "; ".join(filter(None, (release.note, unverified)))


def _metrics(names: Mapping[str, str], path: str) -> str:
    if not names:
        return "It has no metrics page; each answer carries its timings."
    return f"At `{path}`; `server.metrics()` gives them under the common names.\n\n" + _table(
        ["common name", "its own"], [[common, f"`{own}`"] for own, common in names.items()]
    )


def _table(heads: list[str], rows: list[list[str]]) -> str:
    def line(cells: list[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

    return "\n".join([line(heads), "|" + " --- |" * len(heads), *(line(row) for row in rows)])
