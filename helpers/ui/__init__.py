"""The chat UI: pages made with NiceGUI, served by the gateway at /.

What it is made of, from the inside out:

    records.py    conversations, messages, presets: values
    store.py      ... in the gateway's database
    gateway.py    the gateway's own API, asked as any client asks it
    hub.py        answers being written; they outlive the page that asked
    jobs.py       pulls and creations of models; they do too
    markdown.py   what a model writes, made harmless
    figures.py, advice.py, modelfile.py, models.py   numbers, errors, Modelfiles and models for people
    session.py    who is in front of the page
    guard.py      what is let in, and what a page may load
    extensions.py where your own features go in: read this first if you want to add one
    components/   parts of a page, one file each
    pages/        the pages: chat, models, sign-in
    mounting.py   all of it into the gateway's application

And the panels of the notebooks (`panels/`), which have nothing to do with the pages: `helpers.ui.StepExplorer` and
the others are the same as `helpers.StepExplorer`.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastapi import FastAPI


def mount(app: "FastAPI", extensions: "Sequence[Path]" = ()) -> None:
    """Serve the chat UI at / of the gateway's application; once in a process, as NiceGUI has one set of pages.

    Raises:
        MissingError: NiceGUI is not installed. UsageError: an extension cannot be loaded.
    """
    from helpers.ui.mounting import mount as mount_pages

    mount_pages(app, extensions)


def __getattr__(name: str) -> Any:
    import helpers

    if helpers.PUBLIC.get(name, "").startswith("helpers.ui.panels."):
        return getattr(helpers, name)
    raise AttributeError(f"module 'helpers.ui' has no attribute {name!r}")
