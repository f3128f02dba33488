"""Your mask looks both ways along a branch. A node must not see what was proposed after it."""


def tree_mask(parents: list[int]) -> list[list[int]]:
    seen: list[set[int]] = []
    for node, parent in enumerate(parents):
        seen.append((seen[parent] if parent >= 0 else set()) | {node})
    return [
        [int(other in seen[node] or node in seen[other]) for other in range(len(parents))]
        for node in range(len(parents))
    ]
