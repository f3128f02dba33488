"""You gave requests their seats in turn. A request takes the seat that becomes free first."""


def count_steps(lengths: list[int], seats: int) -> dict[str, int]:
    static = sum(max(lengths[start : start + seats]) for start in range(0, len(lengths), seats))
    return {"static": static, "continuous": max(sum(lengths[seat::seats]) for seat in range(seats))}
