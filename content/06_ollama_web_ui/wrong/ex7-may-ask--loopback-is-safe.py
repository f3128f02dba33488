"""You let in whatever comes to loopback. Every web page that you open can make your browser ask there."""


def may_ask(host: str, origin: str | None, keys: bool, valid: bool) -> bool:
    return valid if keys else True
