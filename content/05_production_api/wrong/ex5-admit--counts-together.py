"""You added those who run and those who wait. A free place does not make the queue longer: who comes when it is full
is one too many.
"""


def admit(running: int, waiting: int, places: int, max_waiting: int) -> str:
    if running < places and not waiting:
        return "run"
    return "wait" if running + waiting < places + max_waiting else "refuse"
