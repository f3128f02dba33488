"""You named each block by its own tokens. The same words after another beginning have other keys and values."""


def block_key(parent: str, ids: list[int]) -> str:
    return f"{parent}/{'-'.join(map(str, ids))}"


def block_keys(ids: list[int], block_size: int) -> list[str]:
    full = len(ids) // block_size
    return [block_key("", ids[index * block_size : (index + 1) * block_size]) for index in range(full)]
