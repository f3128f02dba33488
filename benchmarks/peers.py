"""The tools we compare with, each in an environment of its own in the user's cache folder, at a pinned version.

    python benchmarks/peers.py [NAME ...]        install them ahead of time

They are never dependencies of the course. Sizes are what they take on disk on x86-64 with a CPU build of torch;
without one, GuideLLM takes 6 GB.
"""

import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from helpers.config import read_settings
from helpers.engines import catalog
from helpers.engines.install import install
from helpers.errors import MissingError

INSTALL_LIMIT_S = 3600


@dataclass(frozen=True)
class Peer:
    """A tool: what it is called in tables, what pip is told, and how large that is."""

    title: str
    version: str
    requirements: tuple[str, ...]
    size: str


PEERS = {
    "litellm": Peer("LiteLLM proxy", "1.106.2", ("litellm[proxy]==1.106.2",), "0.6 GB"),
    "vllm": Peer("vLLM bench serve", "0.32.0", (), "2.0 GB"),
    "aiperf": Peer("AIPerf", "0.13.0", ("aiperf==0.13.0",), "0.8 GB"),
    # A torch without a local version also takes a CPU build where pip is told of one.
    "guidellm": Peer("GuideLLM", "0.8.1", ("guidellm==0.8.1", "torch==2.13.0"), "0.8 GB"),
}


def program(peer: str, name: str) -> Path:
    """A program of a peer's environment, which is made first if it is not there.

    Raises:
        MissingError: pip could not install it; the message carries pip's own words.
    """
    return environment(peer) / "bin" / name


def vllm_environment() -> Path:
    """vLLM's, which is one of the course's engines: its CPU build, as `./course engines install vllm` makes it.

    Raises:
        MissingError: it could not be installed.
    """
    release = next(release for release in catalog.find("vllm").releases if release.lock)
    return install("vllm", release, "vllm", lambda words: print(words, file=sys.stderr))


def environment(peer: str) -> Path:
    """The folder of a peer's environment; `complete` in it says that the installation went through.

    Raises:
        MissingError: as `program`.
    """
    if peer == "vllm":
        return vllm_environment()
    pinned = PEERS[peer]
    folder = read_settings().cache / "peers" / f"{peer}-{pinned.version}"
    done = folder / "complete"
    if done.is_file():
        return folder
    print(f"installing {pinned.title} {pinned.version} ({pinned.size}) into {folder}", file=sys.stderr)
    venv.create(folder, with_pip=True, clear=True)
    pip(folder, "install", *pinned.requirements)
    done.touch()
    return folder


def pip(folder: Path, *arguments: str) -> None:
    """pip of an environment.

    Raises:
        MissingError: it failed.
    """
    command = [str(folder / "bin" / "python"), "-m", "pip", "--quiet", *arguments]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_LIMIT_S, check=False)
    if finished.returncode:
        words = " ".join(finished.stderr.strip().splitlines()[-3:])
        raise MissingError(f"{folder.name} could not be installed", words[:500], "python benchmarks/peers.py")


if __name__ == "__main__":
    for chosen in sys.argv[1:] or PEERS:
        print(environment(chosen))
