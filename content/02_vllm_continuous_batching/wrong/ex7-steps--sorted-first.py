"""You sorted by length. Nobody knows how long an answer will be before it has ended."""

import heapq


def count_steps(lengths: list[int], seats: int) -> dict[str, int]:
    lengths = sorted(lengths, reverse=True)
    static = sum(max(lengths[start : start + seats]) for start in range(0, len(lengths), seats))
    busy_until = [0] * seats
    for length in lengths:
        heapq.heapreplace(busy_until, busy_until[0] + length)
    return {"static": static, "continuous": max(busy_until)}
