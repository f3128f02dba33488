"""You took one scale for all rows: one large row wipes the small ones out."""


def through_int8(rows: list[list[float]]) -> list[list[float]]:
    scale = max(abs(value) for row in rows for value in row) / 127
    return [[round(value / scale) * scale if scale else 0.0 for value in row] for row in rows]
