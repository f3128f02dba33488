"""You stopped counting when the first seat was empty for good; the last one counts."""

import heapq


def count_steps(lengths: list[int], seats: int) -> dict[str, int]:
    static = sum(max(lengths[start : start + seats]) for start in range(0, len(lengths), seats))
    busy_until = [0] * seats
    for length in lengths:
        heapq.heapreplace(busy_until, busy_until[0] + length)
    return {"static": static, "continuous": min(busy_until)}
