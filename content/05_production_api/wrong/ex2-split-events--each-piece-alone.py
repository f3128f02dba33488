"""You took each piece for itself. Pieces are cut anywhere: an event may lie in three of them, and a newline at their
border.
"""


def split_events(pieces: list[str]) -> list[str]:
    events = []
    for piece in pieces:
        for event in piece.split("\n\n")[:-1]:
            data = [line[5:].removeprefix(" ") for line in event.split("\n") if line.startswith("data:")]
            if data:
                events.append("\n".join(data))
    return events
