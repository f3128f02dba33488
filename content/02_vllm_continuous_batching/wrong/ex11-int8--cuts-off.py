"""You cut the fraction off instead of rounding: every error points to zero, and is up to twice as large."""


def through_int8(rows: list[list[float]]) -> list[list[float]]:
    back = []
    for row in rows:
        scale = max(map(abs, row)) / 127
        back.append([int(value / scale + (1e-9 if value > 0 else -1e-9)) * scale if scale else 0.0 for value in row])
    return back
