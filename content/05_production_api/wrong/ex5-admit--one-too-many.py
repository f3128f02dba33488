"""You let one more in than there is room for: at the bound itself it is full."""


def admit(running: int, waiting: int, places: int, max_waiting: int) -> str:
    if running <= places and not waiting:
        return "run"
    return "wait" if waiting <= max_waiting else "refuse"
