"""You left the candidate's number out: within 1.3.0 it decides."""


def still_builds(version: str) -> bool:
    major, minor = version.split(".")[:2]
    return (int(major), int(minor)) <= (1, 3)
