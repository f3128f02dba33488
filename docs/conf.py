"""Sphinx configuration; `./course build --docs` copies docs/ beside generated pages and builds from there."""

import re
from typing import Any

project = "Model Deployment & Inference Engines"
author = "the course's authors"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "markdown"}
root_doc = "index"
exclude_patterns: list[str] = []
nitpicky = False

html_theme = "furo"
html_title = project
html_static_path: list[str] = []
html_copy_source = False
html_show_copyright = False
html_show_sphinx = False

myst_heading_anchors = 3
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_member_order = "bysource"
autodoc_class_signature = "separated"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True


def setup(app: Any) -> None:
    """Docstrings are plain text: what reStructuredText would read as markup is escaped, before napoleon sees it."""
    app.connect("autodoc-process-docstring", _escape, priority=100)
    app.connect("html-page-context", _level_captions, priority=900)


def _escape(app: Any, what: str, name: str, obj: object, options: Any, lines: list[str]) -> None:
    for index, line in enumerate(lines):
        pieces = re.split(r"(`[^`]*`)", line.replace("\\", "\\\\"))
        lines[index] = "".join(
            f"`{piece}`" if piece.startswith("`") else re.sub(r"([*|]|_(?=\W|$))", r"\\\1", piece) for piece in pieces
        )


def _level_captions(app: Any, page: str, template: str, context: dict[str, Any], document: Any) -> None:
    # Sphinx gives the captions of the navigation the role of a heading without its level, which screen readers need.
    tree = context.get("furo_navigation_tree", "")
    context["furo_navigation_tree"] = tree.replace('role="heading"', 'role="heading" aria-level="2"')
