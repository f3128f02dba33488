"""You made an event of every line. One message would arrive as several."""


def sse_event(data: str) -> str:
    return "".join(f"data: {line}\n\n" for line in data.split("\n"))
