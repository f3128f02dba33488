import pytest

from helpers.api.auth import ANYONE, Keyring
from helpers.api.database import new_key
from helpers.api.refusal import Refused


def test_a_key_is_known_by_its_text_and_kept_as_a_digest() -> None:
    text, key = new_key("alice")
    assert text not in repr(key)
    ring = Keyring(required=True)
    ring.replace([key])
    assert ring.check([(b"authorization", f"Bearer {text}".encode())]) == key
    assert ring.check([(b"x-api-key", text.encode())]) == key


@pytest.mark.parametrize("change", ["", "ck-", "Bearer", "\x00", "ck-00000000-abc", "cut", "other id", "utf"])
def test_anything_else_is_refused(change: str) -> None:
    text, key = new_key("alice")
    other, _ = new_key("bob")
    ring = Keyring(required=True)
    ring.replace([key])
    presented = {"cut": text[:-1], "other id": text[:12] + other[12:], "utf": text + "\u00e9"}.get(change, change)
    with pytest.raises(Refused) as refused:
        ring.check([(b"authorization", b"Bearer " + presented.encode("latin-1"))])
    assert refused.value.status == 401
    with pytest.raises(Refused):
        ring.check([])


def test_revoked_keys_are_gone_with_the_next_list() -> None:
    text, key = new_key("alice")
    ring = Keyring(required=True)
    ring.replace([key])
    ring.replace([])
    with pytest.raises(Refused):
        ring.check([(b"authorization", f"Bearer {text}".encode())])


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        (b"host", b"localhost:8080", True),
        (b"host", b"127.0.0.1:8080", True),
        (b"host", b"[::1]:8080", True),
        (b"origin", b"http://localhost:8080", True),
        (b"host", b"rebound.example:8080", False),
        (b"origin", b"https://evil.example", False),
        (b"origin", b"null", False),
        (b"host", b"[", False),
    ],
)
def test_without_keys_only_this_machine_s_pages_are_served(name: bytes, value: bytes, allowed: bool) -> None:
    ring = Keyring(required=False)
    if allowed:
        assert ring.check([(name, value)]) is ANYONE
        return
    with pytest.raises(Refused) as refused:
        ring.check([(name, value)])
    assert refused.value.status == 403
