"""You compared texts. In a text 5 comes after 20, and 1.10 before 1.3."""


def still_builds(version: str) -> bool:
    return version <= "1.3.0rc20"
