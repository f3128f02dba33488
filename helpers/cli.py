"""The command line: `./course COMMAND`, also `python -m helpers COMMAND`.

Each command is a module in `helpers/commands` with `add_arguments(parser)` and `run(arguments) -> int`; only
the one that is asked for is imported, so that every command starts its own work at once. Exit codes: 0 done,
1 a check did not hold, 2 wrong use, 3 something needed is missing.
"""

import argparse
import importlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from helpers.errors import CourseError, UsageError


@dataclass(frozen=True, slots=True)
class Command:
    """One line of the help screen; `example` stands at the end of the command's own help."""

    name: str
    summary: str
    example: str


FIRST_SCREEN = (
    Command("run", "run the task notebooks unattended and write a report", "./course run 1 --out runs/first"),
    Command("lab", "open JupyterLab on your own copy of the labs", "./course lab 1"),
    Command("check", "check your lab: what holds, what does not, and why", "./course check 1"),
    Command("doctor", "what works on this machine, and what makes the rest work", "./course doctor"),
    Command("serve", "the gateway: OpenAI and Ollama APIs in front of any engine", "./course serve --engine auto"),
)
MORE = (
    Command("test", "run the course's own tests", "./course test"),
    Command("status", "what you have done and what is next", "./course status"),
    Command("reset", "restore one lab to its first state (your copy is kept beside it)", "./course reset 1"),
    Command("engines", "the engines and their state; install, start, stop, logs", "./course engines install vllm"),
    Command(
        "prefetch", "say what will be downloaded (size, time, disk), then download it", "./course prefetch 1 --dry-run"
    ),
    Command("bench", "measure an engine or a URL under load", "./course bench --engine llama.cpp --concurrency 1,4"),
    Command(
        "simulate", "the points of bench on a Spark, an H100 or an H200, from a cost model", "./course simulate --json"
    ),
    Command("plan", "the exact commands that start an engine; starts nothing", "./course plan vllm --model qwen3-8b"),
    Command("judge", "judge a deployment on a brief of the capstone", "./course judge chat --deployment mine.toml"),
    Command("report", "merge and compare the bundles of several runs", "./course report runs/a runs/b"),
    Command(
        "grade",
        "from a folder of submissions to marks and feedback",
        "./course grade submissions --out graded --jobs 2",
    ),
    Command("release", "the learners' hand-out; private inputs for grading", "./course release --out handout"),
    Command("keys", "who may use the gateway: add, list, revoke", "./course keys add alice"),
    Command("openwebui", "Open WebUI in an environment of its own: install, start, stop, remove", "./course openwebui"),
    Command("model", "the card of the course model, or its rebuild", "./course model"),
    Command("build", "make the notebooks, the engines' pages, or all documentation (--docs)", "./course build --docs"),
    Command("clean", "give disk space back", "./course clean"),
)
COMMANDS = {command.name: command for command in (*FIRST_SCREEN, *MORE)}


class Parser(argparse.ArgumentParser):
    """argparse, with errors in the course's three-line form."""

    def error(self, message: str) -> NoReturn:
        """Raise what argparse would print."""
        raise UsageError(message, "", f"./course {self.prog.partition(' ')[2]} --help".replace("  ", " "))


def help_screen() -> str:
    """The first screen: what a newcomer needs, the rest under "more"."""

    def lines(commands: Sequence[Command]) -> str:
        return "\n".join(f"  {command.name:<9} {command.summary}" for command in commands)

    return (
        "Model Deployment & Inference Engines: a hands-on course.\n\n"
        f"usage: ./course COMMAND [options]\n\n{lines(FIRST_SCREEN)}\n\nmore:\n{lines(MORE)}\n\n"
        "./course COMMAND --help explains one command."
    )


def run_command(name: str, arguments: Sequence[str]) -> int:
    """Parse one command's arguments and run it.

    Raises:
        CourseError: whatever the command raises; `main` prints it.
    """
    if name not in COMMANDS:
        raise UsageError(f"there is no command {name!r}", f"the commands are {', '.join(COMMANDS)}", "./course --help")
    module = importlib.import_module(f"helpers.commands.{name}")
    command = COMMANDS[name]
    parser = Parser(
        prog=f"course {name}",
        description=command.summary[0].upper() + command.summary[1:] + ".",
        epilog=f"Example: {command.example}",
    )
    module.add_arguments(parser)
    code: int = module.run(parser.parse_args(arguments))
    return code


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(help_screen())  # noqa: T201
        return 0
    try:
        return run_command(arguments[0], arguments[1:])
    except CourseError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return error.exit_code
    except KeyboardInterrupt:
        print("Stopped. What had finished is kept; the same command goes on from there.", file=sys.stderr)  # noqa: T201
        return 130
    except BrokenPipeError:
        # The reader of our output (head, less) has left; there is nobody to tell.
        sys.stderr.close()
        return 141
