"""You pooled the tokens of all answers. Then one long answer outweighs many short ones; take each answer's share."""


def agreement(reference: list[list[int]], other: list[list[int]]) -> dict[str, float]:
    same_tokens = 0
    for one, two in zip(reference, other, strict=True):
        same = 0
        while same < min(len(one), len(two)) and one[same] == two[same]:
            same += 1
        same_tokens += same
    equal = sum(one == two for one, two in zip(reference, other, strict=True))
    return {"answers": equal / len(reference), "tokens": same_tokens / sum(map(len, reference))}
