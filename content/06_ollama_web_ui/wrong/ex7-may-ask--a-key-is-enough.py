"""You let in whoever has a key. In a browser the key is a cookie, and goes along with any page's request."""

from urllib.parse import urlsplit


def may_ask(host: str, origin: str | None, keys: bool, valid: bool) -> bool:
    if keys:
        return valid
    own = {"127.0.0.1", "localhost", "::1"}
    names = [urlsplit(f"//{host}").hostname] + ([urlsplit(origin).hostname] if origin else [])
    return set(names) <= own
