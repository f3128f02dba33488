"""Quality on fixed tasks, so that nobody wins by breaking the model: facts, JSON records, or answers word for word."""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from helpers.bench.arrivals import ClosedLoop
from helpers.bench.runner import measure
from helpers.bench.workloads import given_prompts
from helpers.capstone.serving import Serving

KINDS = ("facts", "records", "words")
ANSWER_TOKENS = 64
ANSWER_LIMIT_S = 120.0
"""Generous: a slow machine is no reason to call a model broken."""

STREAMS = 4
"""Tasks asked at once: quick, and gentle enough for any deployment."""

_PATH = Path(__file__).with_name("quality.toml")


@dataclass(frozen=True, slots=True)
class Task:
    """One task; quality.toml explains the three kinds."""

    kind: str
    ask: str
    wanted: Any

    def accepts(self, answer: str) -> bool:
        """Whether an answer is right."""
        if self.kind == "facts":
            return all(any(words in answer.lower() for words in group) for group in self.wanted)
        if self.kind == "words":
            return answer.strip() == str(self.wanted)
        return bool(_json_object(answer) == self.wanted)


def tasks(kind: str) -> list[Task]:
    """The fixed tasks of a kind."""
    field = {"facts": "accept", "records": "record", "words": "answer"}[kind]
    return [Task(kind, entry["ask"], entry[field]) for entry in _read()[kind]]


def ask_all(serving: Serving, kind: str) -> list[str]:
    """A deployment's answers to the tasks of a kind, in their order; empty where a request failed or took too long."""
    wanted = tasks(kind)
    workload = given_prompts([task.ask for task in wanted], ANSWER_TOKENS, name="quality")
    streams = ClosedLoop(min(STREAMS, len(wanted)))
    run = measure(serving, workload, streams, len(wanted), warmup=0, label="quality", timeout_s=ANSWER_LIMIT_S)
    answers = {int(record.request_id.rsplit("-", 1)[1]): record.text for record in run.records if record.ok}
    return [answers.get(number, "") for number in range(len(wanted))]


def share_right(kind: str, answers: list[str]) -> float:
    """Share of the tasks that the answers solve."""
    wanted = tasks(kind)
    return sum(task.accepts(answer) for task, answer in zip(wanted, answers, strict=True)) / len(wanted)


def _json_object(text: str) -> object:
    """The object in an answer; a model may put it into a block of code."""
    start, end = text.find("{"), text.rfind("}")
    try:
        return json.loads(text[start : end + 1])
    except ValueError:
        return None


@cache
def _read() -> Mapping[str, list[dict[str, Any]]]:
    return tomllib.loads(_PATH.read_text(encoding="utf-8"))
