"""Paths, and every environment variable the course reads.

| variable             | meaning                                                       | default                  |
|----------------------|---------------------------------------------------------------|--------------------------|
| COURSE_CACHE         | where exports, engine environments and downloads are kept     | ~/.cache/spark-inference |
| COURSE_ENGINE_URL    | attach `launch` to this OpenAI-compatible URL, start nothing  | unset                    |
| COURSE_ENGINE_NAME   | the engine's name at that URL                                 | attached                 |
| COURSE_ENGINE_MODEL  | the model to ask for at that URL                              | the first it lists       |
| COURSE_ENGINE_BROKER | have `launch` ask this URL for engines, which it then owns    | unset                    |
| COURSE_API_KEY       | bearer token for that URL                                     | unset                    |
| COURSE_LEASES        | the folder that tells all users of this machine of each other | /run/lock or /tmp        |
| COURSE_PROFILE       | laptop, spark or two-sparks, instead of what is detected      | detected                 |
| COURSE_CATALOG       | your own file over helpers/engines/catalog.toml, same form    | see below                |
| COURSE_RELEASE_X     | the release of engine X (VLLM, SGLANG, TENSORRT_LLM, OLLAMA,  | the catalogue's          |
|                      | LLAMA_CPP) that plans are made for, by the catalogue's name   |                          |
| COURSE_IMAGE_X       | the container image of engine X; the release's flags stay     | the release's            |
| COURSE_HOME          | where a course installed from a wheel keeps labs and runs     | ~/spark-inference-course |
| HF_HOME              | where the hub's files are kept                                | ~/.cache/huggingface     |

The catalogue of one's own lies at ~/.config/spark-inference/catalog.toml (XDG_CONFIG_HOME moves it). It has the form of
the shipped one; entries and releases are matched by name, so that three lines change one tag:

    [[engine]]
    name = "vllm"
    release = [{ name = "ngc-26.10", image = "nvcr.io/nvidia/vllm:26.11-py3" }]
"""

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from helpers.errors import MissingError, UsageError

PACKED = Path(__file__).with_name("packed")
"""The course's folders inside an installed wheel; a clone has none, it is the course itself."""

UNPACKED = ".course-version"
"""Its file in the folder of an installed course: which version's folders lie there."""


def course_folder(packed: Path = PACKED, environment: Mapping[str, str] | None = None) -> Path:
    """The folder of the course: the clone, or for an installed wheel a folder of the user's, made on first use.

    A newer wheel replaces content, notebooks, labs and solutions there; work/ and runs/ are the user's and stay.

    Raises:
        UsageError: the folder holds something else. MissingError: it cannot be written.
    """
    if not packed.is_dir():
        return packed.resolve().parent.parent
    environment = os.environ if environment is None else environment
    folder = Path(environment.get("COURSE_HOME") or os.path.expanduser("~/spark-inference-course")).resolve()
    marker, wanted = folder / UNPACKED, version("spark-inference-course")
    if marker.is_file() and marker.read_text(encoding="utf-8") == wanted:
        return folder
    if not marker.is_file() and folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(
            f"{folder} holds something else", "the course keeps its labs and runs there", "export COURSE_HOME=FOLDER"
        )
    try:
        marker.parent.mkdir(parents=True, exist_ok=True)
        marker.write_text("being unpacked", encoding="utf-8")
        shutil.copytree(packed, folder, dirs_exist_ok=True)
        command = folder / "course"
        command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m helpers "$@"\n', encoding="utf-8")
        command.chmod(0o755)
        marker.write_text(wanted, encoding="utf-8")
    except OSError as error:
        raise MissingError(
            f"the course cannot be unpacked to {folder}", error.strerror or str(error), "export COURSE_HOME=FOLDER"
        ) from error
    return folder


ROOT = course_folder()
"""The clone, or the folder of an installed course: what holds content/, notebooks/, labs/, work/ and runs/."""

VARIABLES = (
    "COURSE_CACHE",
    "COURSE_ENGINE_URL",
    "COURSE_ENGINE_NAME",
    "COURSE_ENGINE_MODEL",
    "COURSE_ENGINE_BROKER",
    "COURSE_API_KEY",
    "COURSE_LEASES",
    "COURSE_PROFILE",
    "COURSE_CATALOG",
    "COURSE_HOME",
)


@dataclass(frozen=True, slots=True)
class Settings:
    """What the environment says; empty strings where it says nothing."""

    cache: Path
    engine_url: str
    engine_name: str
    engine_model: str
    engine_broker: str
    api_key: str
    profile: str
    catalog: Path
    releases: Mapping[str, str]
    images: Mapping[str, str]
    hub: Path
    leases: Path


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
    locks = next((folder for folder in ("/run/lock", "/tmp") if os.access(folder, os.W_OK)), cache)
    config = environment.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    return Settings(
        cache=Path(cache),
        engine_url=environment.get("COURSE_ENGINE_URL", ""),
        engine_name=environment.get("COURSE_ENGINE_NAME", ""),
        engine_model=environment.get("COURSE_ENGINE_MODEL", ""),
        engine_broker=environment.get("COURSE_ENGINE_BROKER", ""),
        api_key=environment.get("COURSE_API_KEY", ""),
        profile=environment.get("COURSE_PROFILE", ""),
        catalog=Path(environment.get("COURSE_CATALOG") or os.path.join(config, "spark-inference", "catalog.toml")),
        releases=_by_ending(environment, "COURSE_RELEASE_"),
        images=_by_ending(environment, "COURSE_IMAGE_"),
        leases=Path(environment.get("COURSE_LEASES") or os.path.join(locks, "spark-inference")),
        hub=Path(environment.get("HF_HOME") or os.path.expanduser("~/.cache/huggingface")),
    )


def _by_ending(environment: Mapping[str, str], start: str) -> dict[str, str]:
    return {name.removeprefix(start): value for name, value in environment.items() if name.startswith(start) and value}
