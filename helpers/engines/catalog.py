"""Engines, releases and pitfalls from `catalog.toml`, under what the user's own file and the environment say.

Order, the last wins: catalog.toml, the user's file, COURSE_RELEASE_ENGINE and COURSE_IMAGE_ENGINE, a release asked for
by name.
"""

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from helpers.config import read_settings
from helpers.engines.failures import Symptom
from helpers.engines.plan import close_match
from helpers.errors import UsageError

FILE = Path(__file__).resolve().parent / "catalog.toml"
KINDS = ("container", "native")


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One version of an engine in one form.

    Attributes:
        name: as in the catalogue; version: the engine's own.
        kind: `container` or `native`.
        image: of a container; entrypoint: its program, if the plan must name it.
        environment: variables that this release needs.
        package: what a native install takes: a requirement, or a command.
        lock: file in `locks` that pins all that it needs, with hashes; empty if there is none.
        torch: a PyTorch that the lock leaves out because no package index has it everywhere; index: where else it is.
        stands_for: a distribution that its code asks for and that it is under another name.
        install_gb: disk that the environment takes.
        checked: date; source: where the facts were read; note: what a reader should know; unverified: what of it no
            public source confirms.
    """

    name: str
    version: str
    kind: str
    image: str = ""
    entrypoint: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    package: str = ""
    lock: str = ""
    torch: str = ""
    index: str = ""
    stands_for: str = ""
    install_gb: float = 0.0
    checked: str = ""
    source: str = ""
    note: str = ""
    unverified: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pitfall:
    """What goes wrong; `pattern` finds it in a log (empty where no log says it)."""

    symptom: str
    cause: str
    fix: str
    pattern: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """What the catalogue says of an engine; `container` and `native` name the releases taken by default."""

    name: str
    title: str
    summary: str
    choose: str
    documentation: tuple[str, ...]
    port: int
    container: str
    native: str
    releases: tuple[Release, ...]
    pitfalls: tuple[Pitfall, ...]

    def symptoms(self) -> tuple[Symptom, ...]:
        """The pitfalls that a log shows."""
        return tuple(
            Symptom(p.pattern, _literal(p.symptom), _literal(p.cause), _literal(p.fix))
            for p in self.pitfalls
            if p.pattern
        )

    def release(self, name: str) -> Release:
        """Raises UsageError, with the close match, for a name that the catalogue does not have."""
        for release in self.releases:
            if release.name == name:
                return release
        names = [release.name for release in self.releases]
        raise UsageError(
            f"there is no release {name!r} of {self.name}{close_match(name, names)}", f"it has {', '.join(names)}"
        )


def engines() -> dict[str, Engine]:
    """The catalogue, by engine; the user's file over the shipped one.

    Raises:
        UsageError: the user's file is not TOML, or has a field that the catalogue does not know.
    """
    tables = {table["name"]: table for table in _shipped()}
    own = read_settings().catalog
    for table in _read(own) if own.is_file() else []:
        tables[table["name"]] = _merged(tables.get(table["name"], {}), table)
    try:
        return {name: _engine(table) for name, table in tables.items()}
    except (TypeError, KeyError) as error:
        raise UsageError(f"{own} does not have the catalogue's form", str(error), f"compare it with {FILE}") from error


def find(engine: str) -> Engine:
    """One engine's entry."""
    return engines()[engine]


def choose_release(engine: str, kind: str, name: str = "") -> Release:
    """The release to plan for.

    Args:
        engine: its name.
        kind: `container` or `native`.
        name: a release asked for; empty for COURSE_RELEASE_ENGINE, else the catalogue's default.

    Raises:
        UsageError: there is no such release, it is of the other kind, or a variable names no engine.
    """
    entry, settings = find(engine), read_settings()
    known = {environment_name(name) for name in engines()}
    for ending in (*settings.images, *settings.releases):
        if ending not in known:
            raise UsageError(
                f"COURSE_IMAGE_ or COURSE_RELEASE_{ending} names no engine{close_match(ending, known)}",
                f"the endings are {', '.join(sorted(known))}",
            )
    from_environment = settings.releases.get(environment_name(engine), "")
    if not name and from_environment and entry.release(from_environment).kind == kind:
        name = from_environment
    release = entry.release(name or (entry.container if kind == "container" else entry.native))
    if release.kind != kind:
        raise UsageError(
            f"release {release.name} of {engine} is {release.kind}, not {kind}", "", f"ask for it with --{release.kind}"
        )
    image = settings.images.get(environment_name(engine), "")
    if image and kind == "container":
        return replace(
            release,
            image=image,
            source=f"COURSE_IMAGE_{environment_name(engine)}; the flags are those of {release.name}",
            unverified="",
        )
    return release


def environment_name(engine: str) -> str:
    """`tensorrt-llm` -> `TENSORRT_LLM`: the end of its variables' names."""
    return engine.upper().replace("-", "_").replace(".", "_")


def _literal(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


@functools.cache
def _shipped() -> list[dict[str, Any]]:
    return _read(FILE)


def _read(path: Path) -> list[dict[str, Any]]:
    try:
        tables: list[dict[str, Any]] = tomllib.loads(path.read_text(encoding="utf-8")).get("engine", [])
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read", str(error)) from error
    return tables


def _merged(shipped: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """Fields replaced; releases replaced or added by name; pitfalls added."""
    releases = {table["name"]: table for table in shipped.get("release", [])}
    for table in own.get("release", []):
        releases[table["name"]] = {**releases.get(table["name"], {}), **table}
    pitfalls = [*shipped.get("pitfall", []), *own.get("pitfall", [])]
    return {**shipped, **own, "release": list(releases.values()), "pitfall": pitfalls}


def _engine(table: dict[str, Any]) -> Engine:
    fields = {key: value for key, value in table.items() if key not in ("release", "pitfall", "documentation")}
    releases = tuple(Release(**release) for release in table["release"])
    for release in releases:
        if release.kind not in KINDS:
            raise UsageError(
                f"release {release.name} has the kind {release.kind!r}", f"it is one of {', '.join(KINDS)}"
            )
    return Engine(
        **fields,
        documentation=tuple(table["documentation"]),
        releases=releases,
        pitfalls=tuple(Pitfall(**pitfall) for pitfall in table.get("pitfall", [])),
    )
