"""You let the static batch end with its shortest member; the others would be cut off."""

import heapq


def count_steps(lengths: list[int], seats: int) -> dict[str, int]:
    static = sum(min(lengths[start : start + seats]) for start in range(0, len(lengths), seats))
    busy_until = [0] * seats
    for length in lengths:
        heapq.heapreplace(busy_until, busy_until[0] + length)
    return {"static": static, "continuous": max(busy_until)}
