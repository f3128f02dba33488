"""The documentation as web pages: `docs/`, the glossary from the course model's own, the reference from docstrings.

Pages that follow from something else are generated into the copy that Sphinx reads, and never committed: they cannot
drift from what they are made of. Everything works offline.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

import helpers
from helpers.config import ROOT
from helpers.errors import CheckFailed, MissingError
from helpers.models.training.glossary import load_glossary

AREAS = {
    "engines": ("Engines", "Plan, start, attach to and ask engines.", ("engines", "hardware", "errors")),
    "client": ("Client", "Requests over HTTP, their records, and a mock server of known truth.", ("client", "models")),
    "bench": ("Measuring", "Workloads, load shapes, runs, statistics, limits, figures, reports.", ("bench",)),
    "course": ("Course", "What labs, milestones, panels and the capstone use.", ()),
}
"""Page -> title, what is there, and the parts of `helpers` whose public names it lists; the last one takes the rest."""

ASPECTS = {"what": "", "why": "Why it matters: ", "measure": "How it is measured or set: "}


def build_documentation(out: Path | None = None, root: Path = ROOT) -> Path:
    """Build the pages and return the first one.

    Args:
        out: folder for the pages; None means site/ in the clone. What it held before is replaced.

    Raises:
        MissingError: Sphinx is not installed.
        CheckFailed: a page has a warning: a broken link, a name that is not there.
    """
    if not all(map(find_spec, ("sphinx", "myst_parser", "furo"))):
        raise MissingError(
            "the documentation needs sphinx, myst-parser and furo", "", "rm -r .venv, then ./course build"
        )
    out = out or root / "site"
    with tempfile.TemporaryDirectory(prefix="course-docs-") as folder:
        source, built = Path(folder, "source"), Path(folder, "built")
        write_source(source, root)
        command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", str(source), str(built)]
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise CheckFailed(
                "the documentation has warnings:\n" + done.stderr.replace(f"{source}/", "docs/").strip(),
                "a link or a name that does not exist any more",
                "mend the page or the docstring, then ./course build --docs",
            )
        shutil.rmtree(built / ".doctrees", ignore_errors=True)
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(built, out)
    return out / "index.html"


def write_source(folder: Path, root: Path = ROOT) -> None:
    """What Sphinx reads: docs/ as it is, and the generated pages; docs/teaching where there is one."""
    shutil.copytree(root / "docs", folder, ignore=shutil.ignore_patterns("sample-class", "pictures"))
    (folder / "glossary.md").write_text(glossary_page(), encoding="utf-8")
    (folder / "api").mkdir()
    for name, text in api_pages().items():
        (folder / "api" / name).write_text(text, encoding="utf-8")
    if (folder / "teaching" / "README.md").exists():
        with (folder / "index.md").open("a", encoding="utf-8") as index:
            index.write("\n```{toctree}\n:hidden:\n:caption: Teaching\n\nteaching/README\n```\n")


def glossary_page() -> str:
    """Every term of the course, alphabetically: the sentences that the course model was trained on."""
    terms = sorted(load_glossary(), key=lambda term: term.name.lower())
    lines = [
        "# Glossary",
        f"{len(terms)} terms. The course model was trained on these sentences, and answers with them.",
    ]
    letters = sorted({term.name[0].upper() for term in terms})
    for letter in letters:
        lines.append(f"## {letter}")
        for term in (term for term in terms if term.name[0].upper() == letter):
            also = f" Also: {', '.join(term.aliases)}." if term.aliases else ""
            lines.append(
                f"**{term.name}**: " + " ".join(f"{ASPECTS[key]}{term.sentences[key]}" for key in ASPECTS) + also
            )
    return "\n\n".join(_plain(line) for line in lines) + "\n"


def api_pages() -> dict[str, str]:
    """File name -> text: an index, and a page for each area with the public names of `helpers`."""
    pages = {}
    left = dict(helpers.PUBLIC)
    for area, (title, summary, parts) in AREAS.items():
        names = [name for name, module in left.items() if not parts or module.split(".")[1] in parts]
        left = {name: module for name, module in left.items() if name not in names}
        entries = "\n\n".join(_entry(name) for name in sorted(names, key=str.lower))
        pages[f"{area}.md"] = (
            f"# {title}\n\n{summary} Each is a name of `helpers`: `helpers.{names[0]}`.\n\n{entries}\n"
        )
    links = "\n".join(f"- [{title}]({area}.md): {summary}" for area, (title, summary, _) in AREAS.items())
    toctree = "```{toctree}\n:hidden:\n\n" + "\n".join(AREAS) + "\n```"
    opening = f"`import helpers` gives {len(helpers.PUBLIC)} names, each imported when it is first used."
    return {"index.md": f"# Library\n\n{opening}\n\n{links}\n\n{toctree}\n", **pages}


def _entry(name: str) -> str:
    value = getattr(helpers, name)
    module = helpers.PUBLIC[name]
    kind, options = "autofunction", ""
    if isinstance(value, type):
        kind, options = "autoclass", ":members:\n" if not issubclass(value, Exception) else ""
    return f"## {name}\n\n```{{eval-rst}}\n.. {kind}:: {module}.{name}\n{_indented(options)}```"


def _indented(options: str) -> str:
    return "".join(f"   {line}\n" for line in options.splitlines())


def _plain(text: str) -> str:
    return re.sub(r"(?<=\w)_(?=\w)", r"\\_", text)
