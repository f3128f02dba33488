"""`./course doctor`: the next action first, then what this machine has and which engines can run on it."""

import argparse
import json
import platform
from importlib.metadata import version
from typing import Any

import helpers
from helpers.config import ROOT, read_settings
from helpers.engines.registry import DEFAULTS
from helpers.engines.survey import survey_engines
from helpers.hardware import Hardware, choose_profile, read_hardware

PACKAGES = ("xllamacpp", "tokenizers", "numpy", "aiohttp", "fastapi", "jupyterlab", "papermill", "plotly")
MEMORY_FOR_COURSE_MODEL_BYTES = 10**9
"""The course model, its engine, a notebook kernel and the load client together, rounded up."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def examine() -> dict[str, Any]:
    """Everything the doctor says, JSON-ready; `problems` stop the course, `next_command` leads on."""
    hardware = read_hardware()
    profile = choose_profile(hardware)
    engines = survey_engines()
    default = DEFAULTS[profile]
    problems = []
    if not (helpers.__file__ or "").startswith(str(ROOT)):
        problems.append(
            f"`helpers` is imported from {helpers.__file__}, not from this clone: deactivate that environment"
        )
    if hardware.available_bytes < MEMORY_FOR_COURSE_MODEL_BYTES:
        problems.append(f"only {hardware.available_bytes / 1e9:.1f} GB of memory available: close something large")
    missing = {state.engine: state for state in engines if state.state == "missing"}
    if default in missing:
        problems.append(f"{default}, the default engine of profile {profile}, needs {missing[default].needs}")
    return {
        "problems": problems,
        "next_command": missing[default].next_command if default in missing else "./course run 1",
        "profile": profile,
        "default_engine": default,
        "hardware": hardware.to_json(),
        "engines": [state.to_json() for state in engines],
        "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
        "cache": str(read_settings().cache),
    }


def run(arguments: argparse.Namespace) -> int:
    """Print what was found; 3 if something needed is missing."""
    found = examine()
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
    gpus = [gpu["name"] for gpu in found["hardware"]["gpus"]]
    for name, value in {
        "machine": f"{hardware.processor}, {hardware.cores} cores, {hardware.architecture}, {hardware.system}",
        "memory": f"{hardware.memory_bytes / 1e9:.1f} GB, {hardware.available_bytes / 1e9:.1f} GB available",
        "GPU": ", ".join(gpus) or "none that the NVIDIA driver reports",
        "profile": f"{found['profile']} (default engine: {found['default_engine']})",
        "cache": found["cache"],
        "versions": ", ".join(f"{package} {number}" for package, number in found["versions"].items()),
    }.items():
        console.print(f"{name:<9} {value}", markup=False, soft_wrap=True)
    console.print("\nEngines", style="bold")
    for state in found["engines"]:
        line = "ready" if state["state"] == "ready" else f"not here: needs {state['needs']}"
        console.print(f"{state['engine']:<13} {line}", markup=False, soft_wrap=True)
    console.print(
        '\nAn engine that runs elsewhere: helpers.attach("http://HOST:PORT/v1", engine="vllm")',
        markup=False,
        soft_wrap=True,
    )
