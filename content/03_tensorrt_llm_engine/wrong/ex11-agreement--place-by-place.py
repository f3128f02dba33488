"""You compared place by place to the end. After the first difference the histories differ, and what is alike is
chance.
"""


def agreement(reference: list[list[int]], other: list[list[int]]) -> dict[str, float]:
    shares = [
        sum(a == b for a, b in zip(one, two, strict=False)) / len(one)
        for one, two in zip(reference, other, strict=True)
    ]
    equal = sum(one == two for one, two in zip(reference, other, strict=True))
    return {"answers": equal / len(reference), "tokens": sum(shares) / len(shares)}
