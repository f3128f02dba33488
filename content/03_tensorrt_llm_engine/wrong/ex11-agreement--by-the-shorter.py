"""You divided by the shorter answer. Then an answer that ends too early looks perfect."""


def agreement(reference: list[list[int]], other: list[list[int]]) -> dict[str, float]:
    shares = []
    for one, two in zip(reference, other, strict=True):
        same = 0
        while same < min(len(one), len(two)) and one[same] == two[same]:
            same += 1
        shares.append(same / min(len(one), len(two)))
    equal = sum(one == two for one, two in zip(reference, other, strict=True))
    return {"answers": equal / len(reference), "tokens": sum(shares) / len(shares)}
