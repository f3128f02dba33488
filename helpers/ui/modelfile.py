"""Modelfiles, read as Ollama's own command line reads them, into the fields of /api/create.

FROM, PARAMETER, TEMPLATE, SYSTEM, LICENSE, MESSAGE, ADAPTER; values stand on the line, in "quotes", or between
triple quotes over several lines; # begins a comment. Source: Ollama's docs/modelfile.mdx and parser/parser.go.
"""

import difflib
import re
from typing import Any

from helpers.errors import UsageError

INSTRUCTIONS = ("FROM", "PARAMETER", "TEMPLATE", "SYSTEM", "LICENSE", "MESSAGE", "ADAPTER")
WHOLE = {"num_ctx", "num_predict", "repeat_last_n", "seed", "top_k", "num_keep", "num_gpu", "num_thread", "num_batch"}
REAL = {"temperature", "top_p", "min_p", "repeat_penalty", "presence_penalty", "frequency_penalty", "typical_p"}
ROLES = ("system", "user", "assistant")
LINE = re.compile(r"(?P<word>\S+)(?:[ \t]+(?P<rest>.*))?$")


def parse_modelfile(text: str) -> dict[str, Any]:
    """The fields `from`, `parameters`, `template`, `system`, `license`, `messages`, as far as they are there.

    Raises:
        UsageError: an unknown instruction, a value of the wrong type, or no FROM; it names the line.
    """
    fields: dict[str, Any] = {}
    lines = text.replace("\r\n", "\n").split("\n")
    number = 0
    while number < len(lines):
        first = number + 1
        line = lines[number].strip()
        number += 1
        if not line or line.startswith("#"):
            continue
        match = LINE.match(line)
        assert match is not None
        word, value = match["word"].upper(), (match["rest"] or "").strip()
        if word not in INSTRUCTIONS:
            close = difflib.get_close_matches(word, INSTRUCTIONS, n=1)
            hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(INSTRUCTIONS)}"
            raise UsageError(f"line {first}: there is no instruction {match['word'][:40]}", hint)
        start, quotes, opened = value.partition('"""')
        if quotes and '"""' not in opened:
            rest = [opened]
            while number < len(lines) and '"""' not in lines[number]:
                rest.append(lines[number])
                number += 1
            if number == len(lines):
                raise UsageError(f'line {first}: """ is not closed', 'end the text with """')
            rest.append(lines[number].partition('"""')[0])
            number += 1
            value = start + "\n".join(rest)
        elif quotes:
            value = start + opened.partition('"""')[0]
        _take(fields, word, value, first)
    if "from" not in fields:
        raise UsageError("the Modelfile has no FROM", "every model is made from another one or from a GGUF file")
    return fields


def _take(fields: dict[str, Any], word: str, value: str, number: int) -> None:
    if not value:
        raise UsageError(f"line {number}: {word} needs a value", "")
    if word == "PARAMETER":
        name, _, given = value.partition(" ")
        parameter = _parameter(name, _unquote(given.strip()), number)
        known = fields.setdefault("parameters", {})
        known[name] = [*known.get(name, []), parameter] if name == "stop" else parameter
    elif word == "MESSAGE":
        role, _, content = value.partition(" ")
        if role not in ROLES:
            raise UsageError(f"line {number}: MESSAGE begins with a role", f"the roles are {', '.join(ROLES)}")
        fields.setdefault("messages", []).append({"role": role, "content": _unquote(content.strip())})
    elif word == "LICENSE":
        fields.setdefault("license", []).append(_unquote(value))
    else:
        fields[word.lower()] = _unquote(value)


def _parameter(name: str, value: str, number: int) -> int | float | str | bool:
    try:
        if name in WHOLE:
            return int(value)
        if name in REAL:
            return float(value)
    except ValueError:
        kind = "whole number" if name in WHOLE else "number"
        raise UsageError(f"line {number}: {name} must be a {kind}", f"it is {value[:40]!r}") from None
    if value in ("true", "false"):
        return value == "true"
    return value


def _unquote(value: str) -> str:
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' else value
