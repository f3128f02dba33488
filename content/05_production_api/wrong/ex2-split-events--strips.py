"""You stripped all spaces. Only one space after 'data:' belongs to the format; the others are the model's words."""


def split_events(pieces: list[str]) -> list[str]:
    events = []
    for event in "".join(pieces).split("\n\n")[:-1]:
        data = [line[5:].strip() for line in event.split("\n") if line.startswith("data:")]
        if data:
            events.append("\n".join(data))
    return events
