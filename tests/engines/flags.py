"""The flag tables of tests/data/flags, and how to find the programs that a plan would run."""

import functools
import re
import shlex
import tomllib
from dataclasses import dataclass
from pathlib import Path

from helpers.engines import catalog
from helpers.engines.plan import LaunchPlan

FOLDER = Path(__file__).parent.parent / "data" / "flags"
PROGRAMS = {
    ("docker", "run"): "docker run",
    ("vllm", "serve"): "vllm serve",
    ("sglang", "serve"): "sglang serve",
    ("ray", "start"): "ray start",
    ("mpirun",): "mpirun",
    ("trtllm-serve",): "trtllm-serve",
    ("trtllm-build",): "trtllm-build",
    ("trtllm-bench",): "trtllm-bench",
    ("llama-server",): "llama-server",
}


@dataclass(frozen=True)
class Table:
    program: str
    version: str
    options: frozenset[str]


@dataclass(frozen=True)
class Command:
    program: str
    words: tuple[str, ...]

    @property
    def flags(self) -> list[str]:
        return [word.partition("=")[0] for word in self.words if re.match(r"--?[A-Za-z]", word)]

    def value(self, flag: str) -> str:
        return self.words[self.words.index(flag) + 1]


@functools.cache
def tables() -> tuple[Table, ...]:
    found = []
    for path in sorted(FOLDER.glob("*.toml")):
        table = tomllib.loads(path.read_text())
        assert table["source"]
        assert table["date"]
        found.append(Table(table["program"], table["version"], frozenset(table["options"])))
    return tuple(found)


def table_for(program: str, version: str) -> Table:
    of_program = [table for table in tables() if table.program == program]
    return next((table for table in of_program if table.version == version), of_program[-1])


def word_lists(plan: LaunchPlan) -> list[list[str]]:
    """argv, and each line of its scripts, as words."""
    lists = [list(plan.argv)]
    for path, text in plan.files.items():
        if path.endswith(".sh"):
            body = re.sub(r"<<'END'.*?\nEND\n", "\n", text, flags=re.DOTALL)
            lists += [shlex.split(line, comments=True) for line in body.splitlines() if line.strip(" ;")]
    found = []
    for words in lists:
        found.append(words)
        for index, word in enumerate(words[:-1]):
            if word == "-c" and words[index - 1] in ("bash", "sh"):
                lexer = shlex.shlex(words[index + 1], posix=True, punctuation_chars="&|;")
                lexer.whitespace_split = True
                found.append(list(lexer))
    return found


@functools.cache
def images() -> frozenset[str]:
    return frozenset(release.image for entry in catalog.engines().values() for release in entry.releases) - {""}


def with_entry_point(words: list[str]) -> list[str]:
    """`docker run --entrypoint P IMAGE ARGUMENTS` with P where it runs: behind the image."""
    image = next((index for index, word in enumerate(words) if word in images()), None)
    if image is None or "--entrypoint" not in words[:image]:
        return words
    option = words.index("--entrypoint")
    program = Path(words[option + 1]).name
    return [*words[:option], *words[option + 2 : image + 1], program, *words[image + 1 :]]


def program_at(words: list[str], index: int) -> tuple[str, int]:
    """The known program that starts here, and how many words name it."""
    name = Path(words[index]).name
    if name in ("convert_checkpoint.py", "quantize.py"):
        return name, 1
    # The program of an environment is named by its path.
    called = name if Path(words[index]).parent.name == "bin" else words[index]
    for start, program in PROGRAMS.items():
        if (called, *words[index + 1 : index + len(start)]) == start:
            return program, len(start)
    return "", 1


def commands(plan: LaunchPlan) -> list[Command]:
    """Every known program in a plan, with its arguments: up to the image, the next program or the end of a command."""
    found: list[Command] = []
    for listed in word_lists(plan):
        words = with_entry_point(listed)
        program, arguments, index = "", [], 0
        while index < len(words):
            name, length = program_at(words, index)
            if name or words[index] in (*images(), "&&", "||", ";"):
                if program:
                    found.append(Command(program, tuple(arguments)))
                program, arguments = name, []
            else:
                arguments.append(words[index])
            index += length if name else 1
        if program:
            found.append(Command(program, tuple(arguments)))
    return found


def command(plan: LaunchPlan, program: str) -> Command:
    """The only command of this program, in argv or in the scripts."""
    (found,) = [found for found in commands(plan) if found.program == program]
    return found
