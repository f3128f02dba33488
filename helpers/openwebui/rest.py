"""Open WebUI's REST API: is it up, an admin account, a preset with a system prompt, a chat."""

import json
import os
import secrets
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from helpers.errors import EngineFailed
from helpers.openwebui.plan import home

ASK_LIMIT_S = 120.0
ADMIN = "admin@course.local"
PRESET = "course-short"
SYSTEM = "You answer in one short sentence."


@dataclass(frozen=True, slots=True)
class Account:
    """The admin's."""

    email: str
    password: str


def is_up(url: str) -> bool:
    """Whether it answers."""
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def account_file() -> Path:
    """Where the admin's password is kept, readable by the user alone."""
    return home() / "admin.json"


def read_account() -> Account:
    """The admin's account; made up and kept at the first call."""
    file = account_file()
    if not file.is_file():
        file.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"email": ADMIN, "password": secrets.token_urlsafe(12)})
        with os.fdopen(os.open(file, os.O_CREAT | os.O_WRONLY, 0o600), "w") as opened:
            opened.write(text)
    return Account(**json.loads(file.read_text(encoding="utf-8")))


class OpenWebUI:
    """A signed-in admin.

    Raises:
        EngineFailed: it refuses, or does not answer.
    """

    def __init__(self, url: str, account: Account) -> None:
        self._url = url
        self._token = ""
        fields = {"email": account.email, "password": account.password}
        try:
            # The first to sign up is the admin; later the same account signs in.
            answer = self.ask("POST", "/api/v1/auths/signin", fields)
        except EngineFailed:
            answer = self.ask("POST", "/api/v1/auths/signup", {"name": "Admin", **fields})
        self._token = str(answer["token"])

    def ask(self, method: str, path: str, fields: dict[str, Any] | None = None) -> Any:
        """JSON there and back.

        Raises:
            EngineFailed: with its own words.
        """
        headers = {"Content-Type": "application/json"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        body = None if fields is None else json.dumps(fields).encode()
        request = urllib.request.Request(self._url + path, body, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=ASK_LIMIT_S) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            words = error.read(300).decode("utf-8", "replace")
            raise EngineFailed(
                f"Open WebUI answers {error.code} to {path}", words, f"read {home() / 'log.txt'}"
            ) from error
        except (OSError, ValueError) as error:
            raise EngineFailed(f"Open WebUI does not answer {path}", str(error), "./course openwebui start") from error

    def list_models(self) -> list[str]:
        """The ids of the models that it sees."""
        return [model["id"] for model in self.ask("GET", "/api/models")["data"]]

    def create_preset(self, base: str) -> str:
        """A model preset with a system prompt; returns its id. It is there once, however often this is called."""
        if PRESET not in self.list_models():
            form = {
                "id": PRESET,
                "name": "Course, short answers",
                "base_model_id": base,
                # Its built-in tools would send 25 kB of schemas along with every question.
                "meta": {"description": SYSTEM, "capabilities": {"builtin_tools": False}},
                "params": {"system": SYSTEM},
                "is_active": True,
            }
            self.ask("POST", "/api/v1/models/create", form)
            self.list_models()  # a chat finds only what was there when the models were last listed
        return PRESET

    def chat(self, model: str, question: str) -> str:
        """One answer."""
        fields = {"model": model, "messages": [{"role": "user", "content": question}], "stream": False}
        return str(self.ask("POST", "/api/chat/completions", fields)["choices"][0]["message"]["content"])


def verify(url: str) -> dict[str, Any]:
    """Sign in, make the preset, ask it: what was seen.

    Raises:
        EngineFailed: one of the steps failed.
    """
    page = OpenWebUI(url, read_account())
    models = [model for model in page.list_models() if model != PRESET]
    if not models:
        raise EngineFailed("Open WebUI sees no model", "what stands behind it does not answer", "./course serve")
    preset = page.create_preset(models[0])
    question = "What is a KV cache?"
    return {"models": models, "preset": preset, "question": question, "answer": page.chat(preset, question)}
