"""A node sees its parent and itself, but not what its parent follows."""


def tree_mask(parents: list[int]) -> list[list[int]]:
    return [[int(other in (node, parent)) for other in range(len(parents))] for node, parent in enumerate(parents)]
