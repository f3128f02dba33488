"""You called two answers the same if one begins with the other. Ending is a choice, too."""


def agreement(reference: list[list[int]], other: list[list[int]]) -> dict[str, float]:
    shares = []
    for one, two in zip(reference, other, strict=True):
        same = 0
        while same < min(len(one), len(two)) and one[same] == two[same]:
            same += 1
        shares.append(same / len(one))
    equal = sum(one[: len(two)] == two or two[: len(one)] == one for one, two in zip(reference, other, strict=True))
    return {"answers": equal / len(reference), "tokens": sum(shares) / len(shares)}
