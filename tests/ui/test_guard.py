"""What is let in, and who: over HTTP, without NiceGUI."""

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient

from helpers.api.auth import Key, Keyring
from helpers.api.database import new_key
from helpers.ui.guard import Guard
from helpers.ui.session import COOKIE, Session, SignedOut, sign_in, sign_out


@dataclass
class FakeState:
    keyring: Keyring
    settings: Any = field(default_factory=lambda: SimpleNamespace(database=""))


def client(required: bool) -> TestClient:
    guard = Guard(PlainTextResponse("a page"), FakeState(Keyring(required)))  # type: ignore[arg-type]
    return TestClient(guard, base_url="http://localhost", raise_server_exceptions=True)


def test_pages_come_with_a_policy_that_lets_nothing_in_from_elsewhere() -> None:
    answer = client(required=False).get("/")
    assert answer.text == "a page"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "img-src 'self' data:" in policy
    assert "http" not in policy


@pytest.mark.parametrize("path", ["/c/abc", "/models", "/sign-in", "/_nicegui/3/static/x.js"])
def test_the_pages_paths(path: str) -> None:
    assert client(required=False).get(path).status_code == 200


@pytest.mark.parametrize("path", ["/v1/unknown", "/api/unknown", "/admin"])
def test_other_paths_are_not_the_pages(path: str) -> None:
    from starlette.exceptions import HTTPException

    with pytest.raises(HTTPException):
        client(required=False).get(path)


def test_pages_of_other_sites_are_refused() -> None:
    from helpers.api.refusal import Refused

    for required, headers in (
        (False, {"host": "elsewhere.example"}),
        (False, {"origin": "http://elsewhere.example"}),
        (True, {"host": "spark:8080", "origin": "http://elsewhere.example"}),
    ):
        with pytest.raises(Refused):
            client(required).get("/", headers=headers)
    own = {"host": "spark:8080", "origin": "http://spark:8080"}
    assert client(required=True).get("/", headers=own).status_code == 200


def session(key: str, *known: Key, required: bool = True) -> Session:
    keyring = Keyring(required)
    keyring.replace(known)
    return Session(FakeState(keyring), None, key)  # type: ignore[arg-type]


def test_a_session_is_its_key_s_for_as_long_as_that_is_valid() -> None:
    text, key = new_key("alice")
    mine = session(text, key)
    assert mine.owner == key.id
    assert not mine.may_change_models
    mine.state.keyring.replace([])
    with pytest.raises(SignedOut):
        mine.who()


def test_without_keys_everyone_is_one_and_may_do_all() -> None:
    anyone = session("", required=False)
    assert anyone.owner == ""
    assert anyone.may_change_models


def test_signing_in_puts_the_key_where_no_script_reads_it() -> None:
    text, key = new_key("alice")
    mine = session(text, key)
    answer = sign_in(mine.state, mine.hub, text)
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"{COOKIE}={text}")
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert answer.headers["location"] == "/"
    wrong = sign_in(mine.state, mine.hub, "ck-wrong\r\nx")
    assert "set-cookie" not in wrong.headers
    assert wrong.headers["location"].startswith("/sign-in")
    assert f'{COOKIE}=""' in sign_out().headers["set-cookie"]


def test_the_style_sheet_and_the_script_name_no_other_host() -> None:
    static = Path(__file__).parents[2] / "helpers" / "ui" / "static"
    for file in static.iterdir():
        assert "//" not in file.read_text().replace("// ", "").replace("/^\\/(c\\/)?/", ""), file
