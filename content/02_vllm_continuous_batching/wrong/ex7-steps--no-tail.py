"""You divided all tokens by the seats. At the end, seats stay empty while the last ones finish."""


def count_steps(lengths: list[int], seats: int) -> dict[str, int]:
    static = sum(max(lengths[start : start + seats]) for start in range(0, len(lengths), seats))
    return {"static": static, "continuous": -(-sum(lengths) // seats)}
