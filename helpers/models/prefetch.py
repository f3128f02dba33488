"""What a task downloads: said first (sizes, time, disk), then fetched from the hub, resumed, and checked.

The hub is asked through huggingface_hub: HF_ENDPOINT, HF_TOKEN and HF_HOME mean what they mean everywhere.
"""

import os
import shutil
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from helpers.config import read_settings
from helpers.errors import MissingError, UsageError
from helpers.models import hub
from helpers.models.catalogue import FOLDER
from helpers.models.weights import BYTES_PER_WEIGHT

LEFT_OUT = ("original/*", "metal/*", "*.pth", "*.onnx", "*.h5", "*.msgpack")
"""Copies of the same weights in other formats, which no engine of the course reads."""

DISK_KEPT_BYTES = 5 * 10**9
"""Disk that stays free."""

VLLM_TASKS = (1, 2, 4)
"""Tasks that use the CPU build of vLLM on a laptop."""

RATES_MBIT_S = (100, 1000)
"""Connections that download times are said for."""


@dataclass(frozen=True, slots=True)
class Download:
    """One thing to get.

    Attributes:
        name: as in the catalogue's table.
        repository: on the hub, or a name in Ollama's library.
        patterns: the repository's files that are wanted; empty for all but the left out.
        ollama: whether `ollama pull` gets it; the hub is not asked then.
        estimated_bytes: from the number of parameters; 0 where that is not known.
    """

    name: str
    repository: str
    patterns: tuple[str, ...] = ()
    ollama: bool = False
    estimated_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Size:
    """What the hub says of a download: all bytes, and those that are not here yet."""

    total_bytes: int
    missing_bytes: int


def downloads(tasks: Sequence[int]) -> list[Download]:
    """What these tasks want, each once; all tasks if none is named."""
    table = tomllib.loads((FOLDER / "catalogue.toml").read_text(encoding="utf-8"))["prefetch"]
    wanted = [name for entry in table if not tasks or entry["task"] in tasks for name in entry["models"]]
    return [find_download(name) for name in dict.fromkeys(wanted)]


def find_download(name: str) -> Download:
    """`MODEL QUANTIZATION`, `MODEL eagle3 ENGINE`, `MODEL draft ENGINE` or `MODEL ollama`.

    Raises:
        UsageError: the catalogue has no such thing.
    """
    model, what, *engine = name.split()
    known = hub.models().get(model)
    if known is None:
        raise UsageError(f"unknown model {model!r}", f"the catalogue has {', '.join(hub.models())}")
    estimate = int(known.parameters * BYTES_PER_WEIGHT.get(what, BYTES_PER_WEIGHT["q4_k_m"]))
    if what == "ollama":
        return Download(name, known.ollama, ollama=True, estimated_bytes=estimate)
    if what in ("eagle3", "draft"):
        return Download(name, known.draft_for(engine[0], what))
    if what in known.repositories:
        return Download(name, known.repositories[what], estimated_bytes=estimate)
    if what not in known.gguf:
        have = ", ".join((*known.repositories, *known.gguf))
        raise UsageError(f"no {what} files of {model} are known", f"the catalogue has {have}")
    repository, _, tag = known.gguf[what].partition(":")
    return Download(name, repository, (f"*{tag}*",) if tag else ("*.gguf",), estimated_bytes=estimate)


def minutes(count: int, mbit_s: float) -> float:
    """Time for so many bytes at this rate."""
    return count * 8 / (mbit_s * 1e6) / 60


def hub_folder() -> Path:
    """Where the hub's files are kept, shared by all programs that use it."""
    return read_settings().hub / "hub"


def ask_size(download: Download) -> Size:
    """Ask the hub how large it is, and how much of it is not here yet.

    Raises:
        MissingError: the hub cannot be reached, has no such repository, or does not give it out.
    """
    with _explained(download):
        files = _snapshot(download, dry_run=True)
        return Size(sum(f.file_size for f in files), sum(f.file_size for f in files if f.will_download))


def fetch(download: Download) -> Path:
    """Download what is missing, going on where a stopped download was, and compare every file with the hub's checksum.

    Returns:
        The folder with the files.

    Raises:
        MissingError: as `ask_size`, or a file is not as the hub has it (it is removed: the next fetch gets it anew).
    """
    import huggingface_hub

    with _explained(download):
        folder = Path(_snapshot(download))
        api = huggingface_hub.HfApi(endpoint=os.environ.get("HF_ENDPOINT"))
        checked = api.verify_repo_checksums(download.repository, revision=folder.name, cache_dir=hub_folder())
    damaged = [mismatch["path"] for mismatch in checked.mismatches]
    for path in damaged:
        (folder / path).resolve().unlink(missing_ok=True)
        (folder / path).unlink(missing_ok=True)
    if damaged:
        raise MissingError(
            f"{download.repository}: {', '.join(damaged)} is not what the hub has",
            "a disk error, or a download that was tampered with; it was removed",
            "the same command again downloads it anew",
        )
    return folder


def require_disk(missing_bytes: int) -> int:
    """The free disk, in bytes.

    Raises:
        MissingError: the download would fill it.
    """
    folder = hub_folder()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if missing_bytes + DISK_KEPT_BYTES > free:
        raise MissingError(
            f"{missing_bytes / 1e9:.1f} GB are to be downloaded, {free / 1e9:.1f} GB of disk are free",
            f"{DISK_KEPT_BYTES / 1e9:.0f} GB of {folder}'s disk are kept free",
            "free some disk, set HF_HOME to a larger one, or prefetch one task: ./course prefetch 1",
        )
    return free


def _snapshot(download: Download, **options: Any) -> Any:
    import huggingface_hub

    return huggingface_hub.snapshot_download(
        download.repository,
        cache_dir=hub_folder(),
        allow_patterns=list(download.patterns) or None,
        ignore_patterns=list(LEFT_OUT),
        endpoint=os.environ.get("HF_ENDPOINT"),
        **options,
    )


@contextmanager
def _explained(download: Download) -> Iterator[None]:
    """The hub's errors in three lines."""
    import httpx2  # what huggingface_hub speaks HTTP with
    from huggingface_hub import errors

    try:
        yield
    except (errors.HfHubHTTPError, errors.DryRunError, httpx2.HTTPError, OSError) as error:
        reason = error.__cause__ if isinstance(error, errors.DryRunError) and error.__cause__ else error
        if isinstance(reason, errors.GatedRepoError):
            raise MissingError(
                f"the hub does not give out {download.repository}",
                "its licence must be accepted on its page first, and the hub must know who you are",
                "accept it there, then: hf auth login",
            ) from error
        if isinstance(reason, errors.RepositoryNotFoundError):
            raise MissingError(
                f"the hub has no {download.repository}", "it was renamed or removed", "look for it there, give its id"
            ) from error
        raise MissingError(
            f"{download.repository} cannot be downloaded",
            (str(reason).strip() or type(reason).__name__).splitlines()[0],
            "check network and disk, then the same command again: it goes on from there",
        ) from error
