"""You gave a free place to a newcomer while others wait. Under load some of those would wait for ever."""


def admit(running: int, waiting: int, places: int, max_waiting: int) -> str:
    if running < places:
        return "run"
    return "wait" if waiting < max_waiting else "refuse"
