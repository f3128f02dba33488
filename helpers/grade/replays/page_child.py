"""The browser of task 12.6, and the engine behind the page: in a process that no submission can reach.

Writes a line, {"url"} of the engine, or {"missing"}; reads one, {"url"} of the page; writes one, {"tour", "truth"};
reads one, {"url", "key"} of the page that asks for keys; writes one, {"secured"}.
"""

import json
import os
import sys
import urllib.error
import urllib.request
from dataclasses import asdict
from typing import Any

from helpers.client.mock import MockServer
from helpers.course.browser import open_browser
from helpers.course.tour import tour
from helpers.errors import MissingError
from helpers.grade.replays.page import FEATURE, TOKENS

ENGINE = {"ttft_s": 0.1, "gap_s": 0.02}
"""As in the lab."""

STATUS_LIMIT_S = 60.0


def status_of(url: str, key: str = "", origin: str = "") -> int:
    """The status of a request."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    request = urllib.request.Request(url, headers={**headers, **({"Origin": origin} if origin else {})})
    try:
        with urllib.request.urlopen(request, timeout=STATUS_LIMIT_S) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        return refused.code


def statuses(root: str, key: str) -> dict[str, int]:
    """What the page answers to those who have a key and to those who have none."""
    models = f"{root}/v1/models"
    return {
        "no key": status_of(models),
        "wrong key": status_of(models, "ck-00000000-wrong"),
        "key": status_of(models, key),
        "key, page of another site": status_of(f"{root}/sign-in", key, "http://news.example"),
    }


def main() -> None:
    """Look at the page."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def tell(value: dict[str, Any]) -> None:
        answers.write(json.dumps(value) + "\n")
        answers.flush()

    try:
        with open_browser():
            pass
    except MissingError as missing:
        tell({"missing": missing.what})
        return
    with MockServer(**ENGINE, output_tokens=TOKENS) as mock:
        tell({"url": mock.url})
        seen = tour(json.loads(sys.stdin.readline())["url"], feature=FEATURE)
        tell({"tour": seen, "truth": [asdict(request) for request in mock.truth().requests]})
        locked = json.loads(sys.stdin.readline())
        tell({"secured": statuses(locked["url"], locked["key"])})


if __name__ == "__main__":
    main()
