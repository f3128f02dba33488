"""You refuse whoever finds no place. A short queue turns most bursts into a short wait."""


def admit(running: int, waiting: int, places: int, max_waiting: int) -> str:
    return "run" if running < places and not waiting else "refuse"
