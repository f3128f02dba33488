"""`./course doctor`: the next action first, then what this machine has, what runs on it, and which engines can."""

import argparse
import json
import platform
from importlib.metadata import version
from typing import Any

import helpers
from helpers.config import PACKED, ROOT, read_settings
from helpers.course.status import next_step, read_status
from helpers.engines import lease, memory, orphans
from helpers.engines.containers import docker_problem
from helpers.engines.registry import DEFAULTS
from helpers.engines.survey import survey_engines
from helpers.hardware import Hardware, choose_profile, read_hardware

PACKAGES = ("xllamacpp", "tokenizers", "numpy", "aiohttp", "fastapi", "jupyterlab", "papermill", "plotly")
MEMORY_FOR_COURSE_MODEL_BYTES = 10**9
"""The course model, its engine, a notebook kernel and the load client together, rounded up."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--nodes", metavar="A,B", default="", help="ask these machines too, over ssh")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def examine(nodes: tuple[str, ...] = ()) -> dict[str, Any]:
    """Everything the doctor says, JSON-ready; `problems` stop the course, `next_command` leads on."""
    removed = orphans.remove()  # first: what they held is free again
    hardware = read_hardware()
    profile = choose_profile(hardware)
    engines = survey_engines()
    default = DEFAULTS[profile]
    problems = []
    if not PACKED.is_dir() and not (helpers.__file__ or "").startswith(str(ROOT)):
        problems.append(
            f"`helpers` is imported from {helpers.__file__}, not from this clone: deactivate that environment"
        )
    if hardware.available_bytes < MEMORY_FOR_COURSE_MODEL_BYTES:
        problems.append(f"only {hardware.available_bytes / 1e9:.1f} GB of memory available: close something large")
    missing = {state.engine: state for state in engines if state.state == "missing"}
    if default in missing:
        problems.append(f"{default}, the default engine of profile {profile}, needs {missing[default].needs}")
    asked = _ask_nodes(nodes, problems) if nodes else []
    host = memory.host_memory()
    return {
        "problems": problems,
        "next_command": missing[default].next_command if default in missing else next_step(read_status()),
        "nodes": asked,
        "memory": {
            "total_bytes": host.total_bytes,
            "available_bytes": host.available_bytes,
            "kept_for_host_bytes": host.kept_bytes,
            "engines_ended_below_bytes": host.watchdog_bytes,
        },
        "docker": docker_problem() or "ready",
        "removed_containers": removed,
        "in_use_by": [str(ticket) for ticket in lease.tickets()],
        "models": _models(),
        "profile": profile,
        "default_engine": default,
        "hardware": hardware.to_json(),
        "engines": [state.to_json() for state in engines],
        "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
        "cache": str(read_settings().cache),
    }


def _ask_nodes(names: tuple[str, ...], found: list[str]) -> list[dict[str, Any]]:
    from helpers.engines import node_check

    nodes = node_check.ask_nodes(names)
    found += node_check.problems(nodes)
    return [node.to_json() for node in nodes]


def _models() -> dict[str, list[str]]:
    """What is here already: the course's own, and the hub's."""
    from helpers.models import catalogue, prefetch

    folders = sorted(prefetch.hub_folder().glob("models--*/snapshots"))
    return {
        "course": list(catalogue.entries()),
        "hub": [folder.parent.name.removeprefix("models--").replace("--", "/") for folder in folders],
    }


def run(arguments: argparse.Namespace) -> int:
    """Print what was found; 3 if something needed is missing."""
    found = examine(tuple(filter(None, arguments.nodes.split(","))))
    if arguments.json:
        print(json.dumps(found))
    else:
        show(found)
    return 3 if found["problems"] else 0


def show(found: dict[str, Any]) -> None:
    """Print it for a person."""
    from rich.console import Console

    console = Console(highlight=False)
    for problem in found["problems"]:
        console.print(f"Problem: {problem}", style="bold red", markup=False, soft_wrap=True)
    console.print(f"Next: {found['next_command']}\n", style="bold", markup=False, soft_wrap=True)
    hardware = Hardware(**found["hardware"])
    kept = found["memory"]
    for name, value in {
        "machine": f"{hardware.processor}, {hardware.cores} cores, {hardware.architecture}, {hardware.system}",
        "memory": f"{kept['total_bytes'] / 1e9:.1f} GB, {kept['available_bytes'] / 1e9:.1f} GB available; "
        f"{kept['kept_for_host_bytes'] / 1e9:.1f} GB stay with the host",
        "GPU": ", ".join(map(_gpu, found["hardware"]["gpus"])) or "none that the NVIDIA driver reports",
        "docker": "ready" if found["docker"] == "ready" else f"not usable: needs {found['docker']}",
        "profile": f"{found['profile']} (default engine: {found['default_engine']})",
        "models": ", ".join([*found["models"]["course"], *found["models"]["hub"]]),
        "cache": found["cache"],
        "versions": ", ".join(f"{package} {number}" for package, number in found["versions"].items()),
        "in use": "; ".join(found["in_use_by"]) or "by no engine of the course",
    }.items():
        console.print(f"{name:<9} {value}", markup=False, soft_wrap=True)
    for name in found["removed_containers"]:
        console.print(f"removed the container {name}, whose owner was killed", markup=False, soft_wrap=True)
    for node in found["nodes"]:
        console.print(f"node      {_node(node)}", markup=False, soft_wrap=True)
    console.print("\nEngines", style="bold")
    for state in found["engines"]:
        line = state["state"] if state["state"] != "missing" else f"not here: needs {state['needs']}"
        console.print(f"{state['engine']:<13} {line}; has run: {state['has_run']}", markup=False, soft_wrap=True)
    console.print(
        '\nAn engine that runs elsewhere: helpers.attach("http://HOST:PORT/v1", engine="vllm")',
        markup=False,
        soft_wrap=True,
    )


def _gpu(gpu: dict[str, Any]) -> str:
    """One line; a Spark's GPU has no memory of its own to tell."""
    size = gpu["memory_bytes"]
    own = f"{size / 1e9:.0f} GB" if size else "shares the machine's memory"
    return ", ".join(filter(None, (gpu["name"], own, gpu["driver"] and f"driver {gpu['driver']}")))


def _node(node: dict[str, Any]) -> str:
    if not node["reached"]:
        return f"{node['name']}: {node['failure']}"
    facts = ", ".join(f"{name} {value or 'none'}" for name, value in node["facts"].items())
    return f"{node['name']}: clock {node['clock_offset_s']:+.2f} s (+- {node['clock_error_s']:.2f}), {facts}"
