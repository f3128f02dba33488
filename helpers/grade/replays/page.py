"""12.6.ui, played again: the course's page with the learner's extension, toured by a browser of the grader's.

The page runs in a jail, as the extension is the learner's code; browser and engine are in another one. Where this
machine has no browser nothing can be played: the milestone could not be run here.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from helpers.config import ROOT
from helpers.course.browser import NEEDS
from helpers.course.catalogue import Entry
from helpers.course.task import Evidence, Verdict, not_reached, not_run
from helpers.grade.jail import Jail
from helpers.grade.replays.child import learners_jail, listening, new_place, talk_to
from helpers.grade.request import UnitRequest

MILESTONE = "12.6.ui"
EXTENSION = "speed.py"
FEATURE = "Speed"
TOKENS = 300
"""As in the lab."""

ATTEMPTS = 2
TIME_LIMIT_S = 420.0
"""Of one attempt: a page and a browser start in seconds on a quiet machine, and in minutes on one that is not."""

KEY_LIMIT_S = 60.0


def play_again(entry: Entry, request: UnitRequest, folder: Path) -> Verdict:
    """The verdict on the grader's own tour."""
    if not (folder / EXTENSION).is_file():
        return not_reached(f"the run left no {EXTENSION} to give to the page")
    verdict = not_reached("nothing was seen")
    for _ in range(ATTEMPTS):
        seen = _play(request, folder / EXTENSION)
        if "missing" in seen:
            return not_run(NEEDS)
        if "problem" in seen:  # it had minutes to start, or to come to an end
            return not_reached(f"in the grader's own browser: {seen['problem']}")
        try:
            verdict = entry.milestone(MILESTONE).judge(Evidence({**seen, "tokens": TOKENS}, folder))
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            verdict = not_reached(f"what was seen cannot be judged: {type(error).__name__}: {error}")
        if verdict.state == "reached":
            return verdict
    return not_reached(f"in the grader's own browser: {verdict.reason}")


def _play(request: UnitRequest, extension: Path) -> dict[str, Any]:
    """{tour, truth, secured} as the lab's evidence has them; {missing} or {problem} where there is no such thing."""
    program = (sys.executable, "-m", "helpers.grade.replays.page_child")
    jail = request.jail(new_place(request, "browser"), network="shared")
    with talk_to(jail.command(*program), TIME_LIMIT_S) as (told, ask):
        engine = told() or {"problem": "the browser did not start"}
        if "url" not in engine:
            return engine
        open_page = learners_jail(request, extension)
        with listening(request, open_page, _page(open_page, engine["url"], "--no-keys"), TIME_LIMIT_S) as url:
            if not url:
                return {"problem": "the page did not start with the extension"}
            ask({"url": url})
            seen = told()
        if seen is None:
            return {"problem": f"the tour came to no end; there must be a button {FEATURE!r} under each answer"}
        locked = learners_jail(request, extension)
        key = _key(locked)
        with listening(request, locked, _page(locked, engine["url"], "--keys"), TIME_LIMIT_S) as url:
            if not url or not key:
                return {"problem": "the page did not start with keys"}
            ask({"url": url, "key": key})
            secured = told()
    return {"problem": "the page with keys did not answer"} if secured is None else {**seen, **secured}


def _page(jail: Jail, engine: str, keys: str) -> tuple[str, ...]:
    """The command of the page, which writes {"url"} when it listens."""
    serve = (sys.executable, "-m", "helpers", "serve", "--port", "0", "--json", "--with-parent")
    return (*serve, "--upstream", f"mock={engine}", keys, *_database(jail), "--extension", f"{jail.folder}/{EXTENSION}")


def _database(jail: Jail) -> tuple[str, str]:
    return "--database", f"sqlite:///{jail.folder}/page.sqlite"


def _key(jail: Jail) -> str:
    """A key of the page's database, made before anything of the learner's runs there; empty if none was made."""
    command = jail.command(sys.executable, "-m", "helpers", "keys", "add", "grader", *_database(jail), "--json")
    try:
        done = subprocess.run(command, capture_output=True, timeout=KEY_LIMIT_S, check=False, cwd=ROOT)
        return str(json.loads(done.stdout)["key"])
    except (subprocess.TimeoutExpired, ValueError, LookupError):
        return ""
