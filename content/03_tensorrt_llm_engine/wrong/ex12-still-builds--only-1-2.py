"""You stopped at 1.2. The first candidates of 1.3.0 still had it, deprecated."""


def still_builds(version: str) -> bool:
    major, minor = version.split(".")[:2]
    return (int(major), int(minor)) <= (1, 2)
