"""A report from bundles: one self-contained HTML file, and the same in Markdown.

The first screen is the answer; then a row for every engine of the course, then the evidence. Both forms are rendered
from one list of sections, so they cannot disagree.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import jinja2
import plotly.graph_objects as go
from markupsafe import Markup

from helpers.bench.packing import pack, packed_plotly
from helpers.bench.plots_text import describe_figure
from helpers.errors import MissingError

BADGES = ("measured", "recorded", "published", "computed", "simulated", "invalid", "care", "not-run", "yes", "no")
"""First words of a cell that are drawn as a badge; where a number comes from must be seen at a glance."""


@dataclass(frozen=True, slots=True)
class Table:
    """Cells as text; columns named in `numeric` are set flush right."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with a paragraph, a table and figures; any of the three may be missing.

    Attributes:
        folded: closed at first in HTML, as reference matter is.
    """

    title: str
    text: str = ""
    table: Table | None = None
    figures: tuple[go.Figure, ...] = ()
    folded: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """What is to be said, before it is rendered.

    Attributes:
        title: of the document.
        headline: the answer in one or two sentences.
        lead: on what it rests: runs, machine, date.
        facts: what was measured, on what, under which load: (name, text), shown before the sections.
    """

    title: str
    headline: str
    lead: str
    sections: tuple[Section, ...]
    facts: tuple[tuple[str, str], ...] = ()


def render_html(report: Report) -> str:
    """One HTML file that needs nothing else: works offline, light and dark, on paper and on a narrow screen."""
    figures = [json.loads(figure.to_json()) for section in report.sections for figure in section.figures]
    page = _environment().get_template("report.html.jinja")
    return page.render(
        report=report,
        plotly=Markup(packed_plotly()) if figures else "",
        figures=Markup(pack(json.dumps(figures))) if figures else "",
        badge=_badge,
        describe=describe_figure,
        written=_now(),
    )


def render_markdown(report: Report) -> str:
    """The same text and tables in Markdown; figures are told in words, not drawn."""
    text = (
        _environment().get_template("report.md.jinja").render(report=report, describe=describe_figure, written=_now())
    )
    return text.strip() + "\n"


def write_report(report: Report, folder: Path) -> tuple[Path, Path]:
    """Write report.html and report.md into a folder, made if need be; returns the two paths.

    Raises:
        MissingError: the folder cannot be written.
    """
    pages = {folder / "report.html": render_html(report), folder / "report.md": render_markdown(report)}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, text in pages.items():
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise MissingError(
            f"the report could not be written to {folder}", error.strerror or str(error), "name another folder"
        ) from error
    html, markdown = pages
    return html, markdown


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=lambda name: bool(name) and ".html" in str(name),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["cell"] = lambda text: text.replace("|", "\\|").replace("\n", " ")
    return environment


def _badge(text: str) -> str:
    """The badge a cell starts with, or nothing."""
    return next((badge for badge in BADGES if text == badge or text.startswith(f"{badge}:")), "")


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
