"""You returned the codes. Multiply them by their scale to have numbers again."""


def through_int8(rows: list[list[float]]) -> list[list[float]]:
    back = []
    for row in rows:
        scale = max(map(abs, row)) / 127
        back.append([round(value / scale) if scale else 0 for value in row])
    return back
