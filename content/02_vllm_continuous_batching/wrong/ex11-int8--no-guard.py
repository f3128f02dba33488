"""You divided by the scale of a row of zeros."""


def through_int8(rows: list[list[float]]) -> list[list[float]]:
    back = []
    for row in rows:
        scale = max(map(abs, row)) / 127
        back.append([round(value / scale) * scale for value in row])
    return back
