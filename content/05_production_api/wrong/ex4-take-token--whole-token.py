"""You let the client wait for a whole token. A part of one is there already; only the rest must come."""

from typing import Any


def take_token(bucket: dict[str, float], now_s: float, capacity: float, per_s: float) -> dict[str, Any]:
    level = min(capacity, bucket["level"] + (now_s - bucket["at_s"]) * per_s)
    if level >= 1:
        return {"allowed": True, "wait_s": 0.0, "bucket": {"level": level - 1, "at_s": now_s}}
    return {"allowed": False, "wait_s": 1 / per_s, "bucket": {"level": level, "at_s": now_s}}
