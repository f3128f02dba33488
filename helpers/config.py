"""Paths, and every environment variable the course reads.

| variable             | meaning                                                       | default                  |
|----------------------|---------------------------------------------------------------|--------------------------|
| COURSE_CACHE         | where exports, engine environments and downloads are kept     | ~/.cache/spark-inference |
| COURSE_ENGINE_URL    | attach `launch` to this OpenAI-compatible URL, start nothing  | unset                    |
| COURSE_ENGINE_NAME   | the engine's name at that URL                                 | attached                 |
| COURSE_ENGINE_MODEL  | the model to ask for at that URL                              | the first it lists       |
| COURSE_API_KEY       | bearer token for that URL                                     | unset                    |
| COURSE_PROFILE       | laptop, spark or two-sparks, instead of what is detected      | detected                 |
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from helpers.errors import UsageError

ROOT = Path(__file__).resolve().parent.parent
"""The clone: the folder that holds helpers/."""

VARIABLES = (
    "COURSE_CACHE",
    "COURSE_ENGINE_URL",
    "COURSE_ENGINE_NAME",
    "COURSE_ENGINE_MODEL",
    "COURSE_API_KEY",
    "COURSE_PROFILE",
)


@dataclass(frozen=True, slots=True)
class Settings:
    """What the environment says; empty strings where it says nothing."""

    cache: Path
    engine_url: str
    engine_name: str
    engine_model: str
    api_key: str
    profile: str


def read_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Read the variables of the table above.

    Raises:
        UsageError: a variable starting with COURSE_ENGINE_ is not in the table: a typing mistake there
            would silently start an engine instead of attaching to one.
    """
    environment = os.environ if environment is None else environment
    unknown = sorted(name for name in environment if name.startswith("COURSE_ENGINE_") and name not in VARIABLES)
    if unknown:
        raise UsageError(
            f"unknown environment variable {unknown[0]}",
            f"the course reads only {', '.join(VARIABLES)}",
            f"unset {unknown[0]}",
        )
    cache = environment.get("COURSE_CACHE") or os.path.join(
        environment.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "spark-inference"
    )
    return Settings(
        cache=Path(cache),
        engine_url=environment.get("COURSE_ENGINE_URL", ""),
        engine_name=environment.get("COURSE_ENGINE_NAME", ""),
        engine_model=environment.get("COURSE_ENGINE_MODEL", ""),
        api_key=environment.get("COURSE_API_KEY", ""),
        profile=environment.get("COURSE_PROFILE", ""),
    )
