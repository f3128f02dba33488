"""You asked for this machine's own name even where keys are required. Then nobody else can use your Spark."""

from urllib.parse import urlsplit


def may_ask(host: str, origin: str | None, keys: bool, valid: bool) -> bool:
    own = {"127.0.0.1", "localhost", "::1"}
    names = [urlsplit(f"//{host}").hostname] + ([urlsplit(origin).hostname] if origin else [])
    return set(names) <= own and (valid or not keys)
