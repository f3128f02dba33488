"""You used splitlines(), which gives no line at all for an empty text: the event lost its data."""


def sse_event(data: str) -> str:
    return "".join(f"data: {line}\n" for line in data.splitlines()) + "\n"
