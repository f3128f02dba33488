"""`./course engines`: the engines, what runs, and where each has really run; install, start, stop, logs."""

import argparse
import json
import sys
from typing import Any

from helpers.errors import UsageError

ACTIONS = ("install", "start", "stop", "logs")
SHOWN_LOG_LINES = 40


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("action", nargs="?", choices=ACTIONS, help="without one: the engines and their state")
    parser.add_argument("engine", nargs="?", metavar="NAME", help="for install, start, stop and logs")
    parser.add_argument("--native", action="store_true", help="install: packages, although a GPU's container is better")
    parser.add_argument("--model", default="", help="start: what it serves (default: the course model)")
    parser.add_argument("--quantization", default="", help="start: of the weights (default: the engine's)")
    parser.add_argument("--port", type=int, default=0, help="start: where it listens (default: the engine's own port)")
    parser.add_argument("--max-model-len", type=int, help="start: tokens of one sequence")
    parser.add_argument("--max-num-seqs", type=int, help="start: sequences computed at once")
    parser.add_argument("--tensor-parallel", type=int, help="start: GPUs, or processes, that share each layer")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Do it; 3 if something needed is missing."""
    from helpers.engines import registry

    if arguments.action is None:
        return _list(arguments.json)
    if not arguments.engine:
        raise UsageError(f"engines {arguments.action} needs a name", "", f"./course engines {arguments.action} vllm")
    registry.require_name(arguments.engine)
    action = {"install": _install, "start": _start, "stop": _stop, "logs": _logs}[arguments.action]
    result = action(arguments)
    if arguments.json:
        print(json.dumps(result))
    return 0


def _list(as_json: bool) -> int:
    from helpers.engines import lease, orphans
    from helpers.engines.survey import survey_engines

    removed = orphans.remove()
    states = [state.to_json() for state in survey_engines()]
    board = lease.tickets()
    if as_json:
        tickets = [{"kind": t.kind, "user": t.user, "pid": t.pid, "since_s": t.since_s, **t.facts} for t in board]
        print(json.dumps({"engines": states, "board": tickets, "removed_containers": removed}))
        return 0
    for state in states:
        line = state["state"] if state["state"] != "missing" else f"not here: needs {state['needs']}"
        print(f"{state['engine']:<13} {line}")
        print(f"{'':<13} has run: {state['has_run']}")
        if state["next_command"]:
            print(f"{'':<13} next: {state['next_command']}")
    for name in removed:
        print(f"\nremoved the container {name}, whose owner was killed")
    for ticket in board:
        print("\n" + " at ".join([str(ticket), *([ticket.facts["url"]] if "url" in ticket.facts else [])]))
    return 0


def _install(arguments: argparse.Namespace) -> dict[str, Any]:
    from helpers.engines import catalog, install, registry
    from helpers.engines.containers import docker_problem
    from helpers.hardware import find_gpus

    engine = arguments.engine
    if engine not in {entry.name for entry in catalog.engines().values()}:
        raise UsageError(f"{engine} is a part of the course", "there is nothing to install", "./course engines")
    image = catalog.choose_release(engine, "container").image
    if find_gpus() and not arguments.native and engine != "llama.cpp":
        problem = docker_problem()
        steps = [
            *([f"first: {problem}"] if problem else []),
            f"docker pull {image}",
            f"./course engines start {engine}",
        ]
        if not arguments.json:
            print(f"With a GPU, {engine} runs in its container. To get it:")
            print("\n".join(f"  {step}" for step in steps))
            print(f"./course plan {engine} shows how it is started; --native installs packages instead.")
        return {"engine": engine, "kind": "container", "image": image, "steps": steps}
    release = install.choose_release(engine)
    program = str(getattr(registry.choose(engine), "program", engine))
    out = sys.stderr if arguments.json else sys.stdout
    folder = install.install(engine, release, program, lambda words: print(words, file=out, flush=True))
    if not arguments.json:
        print(f"{engine} {release.version} ({release.package}) is in {folder}")
    return {"engine": engine, "kind": "native", "version": release.version, "folder": str(folder)}


def _start(arguments: argparse.Namespace) -> dict[str, Any]:
    import helpers
    from helpers.engines import registry

    named = {"precision": arguments.quantization, "tensor_parallel": arguments.tensor_parallel}
    named |= {"max_model_len": arguments.max_model_len, "max_num_seqs": arguments.max_num_seqs}
    options = {name: value for name, value in named.items() if value}
    adapter = registry.choose(arguments.engine, arguments.model or "course")
    shown = ""

    def told(words: str, elapsed_s: float) -> None:
        nonlocal shown
        if words != shown and not arguments.json:
            shown = words
            print(f"{elapsed_s:5.0f} s  {words}", flush=True)

    port = arguments.port or adapter.default_port
    server = helpers.launch(arguments.engine, arguments.model, progress=told, port=port, **options)
    if server.pid is None:
        raise UsageError(f"{server.backend} runs already at {server.url}", "", f"./course engines stop {server.engine}")
    result = {"engine": server.engine, "model": server.model, "url": server.url, "log": str(server.log_path)}
    server.leave()
    if not arguments.json:
        print(f"{server.engine} serves {server.model} at {server.url} until ./course engines stop {server.engine}")
    return result


def _stop(arguments: argparse.Namespace) -> dict[str, Any]:
    from helpers.engines import persistent

    stopped = persistent.stop(arguments.engine)
    if not arguments.json:
        print("\n".join(f"stopped {ticket}" for ticket in stopped))
    return {"stopped": [ticket.facts for ticket in stopped]}


def _logs(arguments: argparse.Namespace) -> dict[str, Any]:
    from helpers.engines import persistent

    path = persistent.log_of(arguments.engine)
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()[-SHOWN_LOG_LINES:]
    if not arguments.json:
        print("\n".join([*lines, "", f"all of it: {path}"]))
    return {"log": str(path), "lines": lines}
