"""A node must see itself too: its own key and value are part of what it attends to."""


def tree_mask(parents: list[int]) -> list[list[int]]:
    seen: list[set[int]] = []
    for parent in parents:
        seen.append(seen[parent] | {parent} if parent >= 0 else set())
    return [[int(other in nodes) for other in range(len(parents))] for nodes in seen]
