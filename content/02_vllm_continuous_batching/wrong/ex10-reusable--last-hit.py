"""You took the last block that is known and believed that everything before it is there too."""


def block_key(parent: str, ids: list[int]) -> str:
    return f"{parent}/{'-'.join(map(str, ids))}"


def reusable_tokens(ids: list[int], block_size: int, known: list[str]) -> int:
    keys, parent = [], ""
    for start in range(0, len(ids) - block_size + 1, block_size):
        parent = block_key(parent, ids[start : start + block_size])
        keys.append(parent)
    found = [index + 1 for index, key in enumerate(keys) if key in known]
    hits = max(found, default=0)
    return hits * block_size if hits * block_size < len(ids) else (hits - 1) * block_size
