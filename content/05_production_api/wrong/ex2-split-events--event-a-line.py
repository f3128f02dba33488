"""You made an event of every data line. Lines up to the next empty line belong to one event."""


def split_events(pieces: list[str]) -> list[str]:
    whole = "".join(pieces).rpartition("\n\n")[0]
    return [line[5:].removeprefix(" ") for line in whole.split("\n") if line.startswith("data:")]
