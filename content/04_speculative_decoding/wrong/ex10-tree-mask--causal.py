"""Your mask lets a node see all nodes before it. In a tree some of them are alternatives to its own past."""


def tree_mask(parents: list[int]) -> list[list[int]]:
    return [[int(other <= node) for other in range(len(parents))] for node in range(len(parents))]
