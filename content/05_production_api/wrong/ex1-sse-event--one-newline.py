"""You ended the event with a single newline. That ends a line; the event goes on until an empty line comes, so
nothing is delivered.
"""


def sse_event(data: str) -> str:
    return "".join(f"data: {line}\n" for line in data.split("\n"))
