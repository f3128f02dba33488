"""You put the final release before its candidates. It comes after all of them."""

import re


def still_builds(version: str) -> bool:
    found = re.fullmatch(r"(\d+)\.(\d+)\.(\d+)(?:rc(\d+))?", version)
    assert found is not None
    return tuple(int(part or 0) for part in found.groups()) <= (1, 3, 0, 20)
