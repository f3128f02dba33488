"""You looked at the Origin alone. A page whose own name leads to 127.0.0.1 sends none for a plain request, or its
own.
"""

from urllib.parse import urlsplit


def may_ask(host: str, origin: str | None, keys: bool, valid: bool) -> bool:
    if origin is not None and urlsplit(origin).netloc != host:
        return False
    return valid if keys else True
