"""You handed out what stood after the last empty line. That event has not ended: half a JSON object cannot be read,
and its other half is still to come.
"""


def split_events(pieces: list[str]) -> list[str]:
    events = []
    for event in "".join(pieces).split("\n\n"):
        data = [line[5:].removeprefix(" ") for line in event.split("\n") if line.startswith("data:")]
        if data:
            events.append("\n".join(data))
    return events
