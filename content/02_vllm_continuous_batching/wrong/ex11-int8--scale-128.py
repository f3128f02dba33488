"""You mapped the largest magnitude to 128; eight bits end at 127."""


def through_int8(rows: list[list[float]]) -> list[list[float]]:
    back = []
    for row in rows:
        scale = max(map(abs, row)) / 128
        back.append([round(value / scale) * scale if scale else 0.0 for value in row])
    return back
