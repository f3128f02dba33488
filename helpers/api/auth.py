"""Whose key is it? Keys look like ck-ID-SECRET: the ID finds the record, the digest of the whole proves it."""

import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import urlsplit

from helpers.api.refusal import Refused

Headers = Iterable[tuple[bytes, bytes]]

LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, slots=True)
class Key:
    """A key as it is kept: its SHA-256 is enough, because the secret is 256 random bits and no password.

    Limits of 0 mean the gateway's default; `may_change_models` lets it pull and delete models of an Ollama.
    """

    id: str
    name: str
    digest: str
    requests_per_minute: int = 0
    tokens_per_minute: int = 0
    max_in_flight: int = 0
    may_change_models: bool = False


ANYONE = Key("", "anyone", "")
"""Who asks when no keys are required."""


class Keyring:
    """The keys that are valid now."""

    def __init__(self, required: bool) -> None:
        self.required = required
        self._keys: dict[str, Key] = {}

    def replace(self, keys: Iterable[Key]) -> None:
        """Take over the database's keys; safe from another thread, as one assignment changes all."""
        self._keys = {key.id: key for key in keys}

    def check(self, headers: Headers) -> Key:
        """The key of a request.

        Raises:
            Refused: 401 without a valid key; 403 for a web page of another site, where no keys are required.
        """
        if not self.required:
            refuse_foreign_pages(headers)
            return ANYONE
        text = presented_key(headers)
        key = self._keys.get(text[3:11], ANYONE)
        # Compared even without a record, so that the time taken does not say whether an ID exists.
        if not hmac.compare_digest(sha256(text.encode()).hexdigest(), key.digest or "0" * 64):
            raise Refused(401, "invalid_api_key", "This needs a valid API key: 'Authorization: Bearer ck-...'.")
        return key


def presented_key(headers: Headers) -> str:
    """The bearer token, or the x-api-key header; empty if there is neither."""
    for name, value in headers:
        if name == b"authorization" and value[:7].lower() == b"bearer ":
            return value[7:].strip().decode("latin-1")
        if name == b"x-api-key":
            return value.decode("latin-1")
    return ""


def refuse_foreign_pages(headers: Headers) -> None:
    """Without keys loopback is the only guard, and a browser is on loopback too: pages of other sites must stay out.

    Raises:
        Refused: the Host is another name that leads here (DNS rebinding), or the Origin is another site.
    """
    for name, value in headers:
        if name == b"host":
            host = f"//{value.decode('latin-1')}"
        elif name == b"origin":
            host = value.decode("latin-1")
        else:
            continue
        try:
            foreign = urlsplit(host).hostname not in LOOPBACK_NAMES
        except ValueError:
            foreign = True
        if foreign:
            raise Refused(403, "foreign_origin", "Without keys, only this machine's own pages and programs are served.")
