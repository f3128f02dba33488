"""You put 'data: ' in front of the whole text. Its second line then has no field name and is thrown away, and an
empty line inside ends the event too early.
"""


def sse_event(data: str) -> str:
    return f"data: {data}\n\n"
