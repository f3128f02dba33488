"""Links inside the repository lead somewhere: files, and headings in them. Addresses elsewhere are not asked."""

import re
from pathlib import Path

import pytest

from helpers.config import ROOT

PAGES = sorted(
    path
    for path in [
        *ROOT.glob("*.md"),
        *(p for top in ("docs", "content", "deploy", "recorded", "benchmarks") for p in (ROOT / top).rglob("*.md")),
    ]
    if ".ipynb_checkpoints" not in path.parts
)
GENERATED = ("docs/glossary.md", "docs/api/index.md")
"""Written when the documentation is built (tests/docs/test_documentation.py)."""

LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


def links(page: Path) -> list[str]:
    text = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(encoding="utf-8"), flags=re.S)
    return [link for link in LINK.findall(text) if not re.match(r"[a-z]+:", link)]


def anchors(page: Path) -> set[str]:
    heads = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", head.lower()).strip().replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for link in links(page):
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if target.is_relative_to(ROOT) and target.relative_to(ROOT).as_posix() in GENERATED:
            continue
        assert target.exists(), f"{link} leads nowhere"
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target), f"{link}: there is no such heading"


def test_pictures_are_small() -> None:
    pictures = sorted((ROOT / "docs" / "pictures").glob("*.png"))
    assert pictures
    assert sum(path.stat().st_size for path in pictures) < 600_000
