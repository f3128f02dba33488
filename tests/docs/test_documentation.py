"""The documentation builds without a warning, holds every public name and term, and notices what is broken."""

import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest

import helpers
from helpers.cli import COMMANDS
from helpers.config import ROOT
from helpers.course.browser import open_browser
from helpers.course.documentation import api_pages, build_documentation, glossary_page
from helpers.engines.catalog import engines
from helpers.errors import CheckFailed, MissingError
from helpers.models.training.glossary import load_glossary


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_documentation(tmp_path_factory.mktemp("docs") / "site").parent


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if found.get("id"):
            self.ids.add(str(found["id"]))
        if tag == "a" and found.get("href"):
            self.links.append(str(found["href"]))
        if tag in ("script", "img", "link") and (address := found.get("src") or found.get("href")):
            self.loaded.append(str(address))


def test_every_page_is_there(site: Path) -> None:
    pages = ["index", "spark", "without-a-gpu", "troubleshooting", "glossary", "api/index", "api/bench"]
    pages += [f"engines/{name}" for name in engines()]
    for page in pages:
        assert (site / f"{page}.html").is_file(), page


def test_links_of_the_built_pages_lead_somewhere_and_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    pages = {path.resolve(): Page(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}
    for path, page in pages.items():
        assert not [address for address in page.loaded if "://" in address], path
        for link in page.links:
            name, _, anchor = link.partition("#")
            if re.match(r"[a-z]+:", link):
                continue
            target = (path.parent / name).resolve() if name else path
            assert target.exists(), f"{path.name}: {link}"
            if anchor and target in pages:
                assert anchor in pages[target].ids, f"{path.name}: {link}"


def test_the_reference_holds_every_public_name() -> None:
    text = "".join(api_pages().values())
    for name, module in helpers.PUBLIC.items():
        assert f":: {module}.{name}\n" in text


def test_the_glossary_holds_every_term_of_the_course_model() -> None:
    text = glossary_page()
    assert all(f"**{term.name}**".replace("_", "\\_") in text for term in load_glossary())
    assert "Why it matters: " in text


def test_the_pages_name_only_commands_that_exist() -> None:
    for page in (ROOT / "docs").glob("*.md"):
        for name in re.findall(r"\./course ([a-z]+)", page.read_text(encoding="utf-8")):
            assert name in COMMANDS, f"{page.name}: ./course {name}"


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_serious_finding_of_axe(site: Path, scheme: str) -> None:
    axe = pytest.importorskip("axe_core_python.sync_playwright")
    try:
        with open_browser() as browser:
            for name in ("index", "without-a-gpu", "engines/nano"):
                page = browser.new_page(color_scheme=scheme)
                page.goto((site / f"{name}.html").as_uri())
                found = axe.Axe().run(page)["violations"]
                assert not [one["id"] for one in found if one["impact"] in ("serious", "critical")], name
                page.close()
    except MissingError as error:
        pytest.skip(str(error))


def test_a_broken_link_fails_the_build(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    with (tmp_path / "docs" / "spark.md").open("a") as page:
        page.write("\n[nowhere](nowhere.md)\n")
    with pytest.raises(CheckFailed, match=r"docs/spark\.md.*nowhere"):
        build_documentation(tmp_path / "site", tmp_path)
    assert not (tmp_path / "site").exists()
