"""You took the largest value, not the largest magnitude: negative values run out of the eight bits."""


def through_int8(rows: list[list[float]]) -> list[list[float]]:
    back = []
    for row in rows:
        scale = max(row) / 127
        codes = [min(127, max(-127, round(value / scale))) if scale else 0 for value in row]
        back.append([code * scale for code in codes])
    return back
