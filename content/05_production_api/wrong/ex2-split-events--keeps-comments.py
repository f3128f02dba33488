"""You took every line for data. A line that begins with a colon is a comment: servers send them as signs of life."""


def split_events(pieces: list[str]) -> list[str]:
    events = []
    for event in "".join(pieces).split("\n\n")[:-1]:
        lines = [line.removeprefix("data:").removeprefix(" ") for line in event.split("\n")]
        events.append("\n".join(lines))
    return events
