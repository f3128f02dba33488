"""Your bucket has no brim. After an idle night it would let in a night's worth of requests at once."""

from typing import Any


def take_token(bucket: dict[str, float], now_s: float, capacity: float, per_s: float) -> dict[str, Any]:
    level = bucket["level"] + (now_s - bucket["at_s"]) * per_s
    if level >= 1:
        return {"allowed": True, "wait_s": 0.0, "bucket": {"level": level - 1, "at_s": now_s}}
    return {"allowed": False, "wait_s": (1 - level) / per_s, "bucket": {"level": level, "at_s": now_s}}
