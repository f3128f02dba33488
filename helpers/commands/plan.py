"""`./course plan ENGINE`: the exact commands and files that serve a model; nothing is started."""

import argparse
import json
import shlex
from pathlib import Path
from typing import Any

from helpers.engines.drafts import known_draft
from helpers.engines.plan import PRECISIONS, SPECULATIONS, LaunchPlan, ServeConfig


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    engines = "llama.cpp, vllm, sglang, tensorrt-llm, ollama, nano or onnxruntime"
    parser.add_argument("engine", metavar="ENGINE", help=engines)
    parser.add_argument("--model", default="", metavar="M", help="a catalogue id, a hub id, or a path")
    parser.add_argument("--quantization", choices=PRECISIONS, metavar="Q", help=", ".join(PRECISIONS))
    parser.add_argument(
        "--speculation", choices=SPECULATIONS, default="none", metavar="S", help=", ".join(SPECULATIONS)
    )
    parser.add_argument("--draft-model", default="", metavar="M", help="instead of the draft that the catalogue knows")
    parser.add_argument("--tensor-parallel", type=int, default=1, metavar="N", help="GPUs that share each layer")
    parser.add_argument("--nodes", default="", metavar="A,B", help="machines, for an engine that spans them")
    parser.add_argument("--max-model-len", type=int, metavar="N", help="tokens of one sequence (default: 8192 at most)")
    parser.add_argument("--max-num-seqs", type=int, default=8, metavar="N", help="sequences at once (default: 8)")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--container", action="store_true", help="the engine's image")
    form.add_argument("--native", action="store_true", help="the engine's program on this machine")
    parser.add_argument("--release", default="", metavar="NAME", help="a release of helpers/engines/catalog.toml")
    parser.add_argument("--port", type=int, default=0, metavar="P", help="default: the engine's own port of the course")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Print the plan."""
    plan = make(arguments)
    print(json.dumps(plan.to_json()) if arguments.json else render(plan))
    return 0


def make(arguments: argparse.Namespace) -> LaunchPlan:
    """The plan for these arguments.

    Raises:
        UsageError: the engine cannot serve this; the message says what it can.
    """
    from helpers.engines import catalog, registry
    from helpers.engines.adapter import complete

    container = True if arguments.container else False if arguments.native else None
    if arguments.release and container is None:
        container = catalog.find(arguments.engine).release(arguments.release).kind == "container"
    model = arguments.model or default_model(arguments.engine, container, spans_machines=bool(arguments.nodes))
    adapter = registry.choose(arguments.engine, model, container)
    options: dict[str, Any] = {
        "engine": adapter.name,
        "model": model,
        "precision": arguments.quantization or "",
        "port": arguments.port or adapter.default_port,
        "speculation": arguments.speculation,
        "draft_model": arguments.draft_model or known_draft(adapter.name, model, arguments.speculation),
        "tensor_parallel": arguments.tensor_parallel,
        "nodes": tuple(filter(None, arguments.nodes.split(","))),
        "max_model_len": arguments.max_model_len,
        "max_num_seqs": arguments.max_num_seqs,
        "container": container,
        "extra": {"release": arguments.release} if arguments.release else {},
    }
    return adapter.plan(complete(adapter, ServeConfig.build(**options)))


def default_model(engine: str, container: bool | None, *, spans_machines: bool = False) -> str:
    """The course model where a CPU serves it, else a model whose figures on a Spark are published."""
    from helpers.engines import registry
    from helpers.engines.vllm import is_laptop_without_gpu

    is_llama_cpp = engine == "llama.cpp" and container is None and registry.is_embedded_default()
    embedded = is_llama_cpp or engine in ("nano", "onnxruntime")
    on_cpu = engine == "vllm" and not container and not spans_machines and is_laptop_without_gpu()
    return "course" if embedded or on_cpu or engine == "auto" else "llama-3.1-8b"


def render(plan: LaunchPlan) -> str:
    """For a terminal: notes as comments, then files and commands that can be pasted."""
    parts = [f"# {plan.engine}: nothing is started; this is what would be."]
    parts += [f"# - {note}" for note in plan.notes]
    parts += [f"\nmkdir -p {shlex.quote(folder)}" for folder in sorted({str(Path(path).parent) for path in plan.files})]
    for path, text in plan.files.items():
        body = text if text.endswith("\n") else text + "\n"
        parts.append(f"\ncat > {shlex.quote(path)} <<'END_OF_FILE'\n{body}END_OF_FILE")
    parts.append(f"\n{plan.shell_lines}\n")
    parts += [f"# {name}: {url}" for name, url in plan.urls.items()]
    return "\n".join(parts)
