"""What the pages of grading share: the templates, and the words for outcomes and states."""

from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined

from helpers.course.files import write_text

OUTCOME_WORDS = {
    "ok": "The notebook ran from top to bottom.",
    "error": "The notebook stopped at an error; the cells after it did not run.",
    "timeout": "The notebook did not end in its time; the cell it was in, and those after it, do not count.",
    "kernel-died": "The notebook's process ended by itself; the cells after that did not run.",
    "stopped-early": "The notebook ended itself before its last cell.",
    "output-flood": "The notebook printed more than is kept, and was ended.",
    "tampered": "What was handed in is not the lab's form, or changes what judges it.",
    "engine-unavailable": "The engine was not there when this was graded; that costs no points.",
}
"""One sentence per outcome of the command contract, for learners and instructors alike."""

STATE_WORDS = {
    "passed": "holds",
    "partial": "holds in part",
    "failed": "does not hold",
    "not-written": "not written",
    "not-run": "not run",
    "reached": "reached",
    "not-reached": "not reached",
}
GOOD = ("passed", "reached")


def points(value: float) -> str:
    """Points as people write them: 3, 2.5, 0.33."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def link(path: Path) -> str:
    """A relative path as an address: learners' names may hold anything."""
    return quote(path.as_posix())


def write_page(path: Path, template: str, **values: Any) -> Path:
    """Render a template into a page that needs no other file."""
    environment = Environment(
        loader=PackageLoader("helpers.grade"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters |= {"points": points}
    text = environment.get_template(template).render(
        outcome_words=OUTCOME_WORDS, state_words=STATE_WORDS, good=GOOD, **values
    )
    write_text(path, text)
    return path
