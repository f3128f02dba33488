"""You took a token for a refusal too. A client that keeps asking would never be let in again."""

from typing import Any


def take_token(bucket: dict[str, float], now_s: float, capacity: float, per_s: float) -> dict[str, Any]:
    level = min(capacity, bucket["level"] + (now_s - bucket["at_s"]) * per_s)
    allowed = level >= 1
    wait_s = 0.0 if allowed else (1 - level) / per_s
    return {"allowed": allowed, "wait_s": wait_s, "bucket": {"level": level - 1, "at_s": now_s}}
