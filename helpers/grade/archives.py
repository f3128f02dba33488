"""Zip files that were handed in: unpacked only when nothing in them reaches beyond their own folder or floods the disk.

Nothing is unpacked before the whole directory of the archive has been looked at, and the bytes are counted again while
they are unpacked: what an archive says of itself need not be true.
"""

import hashlib
import lzma
import os
import shutil
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

MOST_BYTES = 600_000_000
MOST_MEMBERS = 5000
HIGHEST_RATIO = 200
"""Unpacked over packed; notebooks and records reach 20."""

KEPT = (".ipynb", ".json", ".jsonl", ".html", ".md", ".log", ".txt", ".py")
CHUNK_BYTES = 1 << 20
DAMAGED = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError),
    *(EOFError, OSError, RuntimeError, NotImplementedError, ValueError),
)
"""What zipfile raises; errors of its decompressors pass through it."""


class ArchiveRefused(Exception):
    """The archive is not unpacked; the message says why, in one line.

    Args:
        reason: what is wrong with it.
        names: what it says it holds, so that the refusal reaches the right task.
        broken: damaged rather than built to harm.
    """

    def __init__(self, reason: str, names: tuple[str, ...] = (), *, broken: bool = False) -> None:
        super().__init__(reason)
        self.names = names
        self.broken = broken


def unpack(path: Path, into: Path) -> Path:
    """Unpack an archive below a folder, once: the folder it gets is named by its content.

    Raises:
        ArchiveRefused: it is damaged, or reaches beyond its folder, or is too large.
    """
    try:
        target = into / _digest(path)
    except OSError as error:
        raise ArchiveRefused(f"the zip file cannot be read: {error.strerror}", broken=True) from error
    if target.exists():
        return target
    partial = target.with_name(f"{target.name}.{os.getpid()}.partial")
    try:
        with zipfile.ZipFile(path) as archive:
            members = _checked(archive)
            left = MOST_BYTES
            for member in members:
                left -= _extract(archive, member, partial, left)
    except DAMAGED as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise ArchiveRefused(f"the zip file cannot be read: {error}", broken=True) from error
    except ArchiveRefused:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    partial.mkdir(parents=True, exist_ok=True)
    partial.rename(target)
    return target


def _checked(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    members = archive.infolist()
    names = tuple(member.filename for member in members[:MOST_MEMBERS])
    if len(members) > MOST_MEMBERS:
        raise ArchiveRefused(f"the zip file has {len(members):,} members, more than {MOST_MEMBERS:,}", names)
    unpacked = sum(member.file_size for member in members)
    packed = sum(member.compress_size for member in members)
    if unpacked > MOST_BYTES or unpacked > HIGHEST_RATIO * max(packed, CHUNK_BYTES):
        raise ArchiveRefused(f"the zip file would unpack from {packed:,} to {unpacked:,} bytes", names)
    for member in members:
        parts = PurePosixPath(member.filename.replace("\\", "/")).parts
        if ".." in parts or member.filename.startswith(("/", "\\")) or ":" in member.filename.split("/")[0]:
            raise ArchiveRefused(f"the zip file reaches beyond its folder: {member.filename[:80]!r}", names)
        if stat.S_ISLNK(member.external_attr >> 16):
            raise ArchiveRefused(f"the zip file holds a link: {member.filename[:80]!r}", names)
        if member.flag_bits & 0x1:
            raise ArchiveRefused("the zip file is encrypted", names, broken=True)
    return [member for member in members if not member.is_dir() and member.filename.lower().endswith(KEPT)]


def _extract(archive: zipfile.ZipFile, member: zipfile.ZipInfo, into: Path, most_bytes: int) -> int:
    target = into / PurePosixPath(member.filename.replace("\\", "/"))
    target.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with archive.open(member) as source, target.open("wb") as file:
        while chunk := source.read(CHUNK_BYTES):
            written += len(chunk)
            if written > min(most_bytes, member.file_size):
                raise ArchiveRefused(f"{member.filename[:80]!r} is larger than the zip file says", (member.filename,))
            file.write(chunk)
    return written


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]
