"""You never refuse. The queue grows without bound, and with it everybody's wait and the server's memory."""


def admit(running: int, waiting: int, places: int, max_waiting: int) -> str:
    return "run" if running < places and not waiting else "wait"
