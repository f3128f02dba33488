"""What this machine can do at most: memory bandwidth and matrix rate, measured in under five seconds.

These are the CPU's limits, as NumPy reaches them: the right ceiling for an engine that runs on the CPU. A GPU's
limits are measured where the GPU is.
"""

import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from helpers.hardware import usable_cores

FALLBACK_CACHE_BYTES = 64 * 2**20
"""Assumed last-level cache where the system does not tell (macOS, Windows)."""

LARGEST_ARRAY_BYTES = 128 * 2**20
"""Three such arrays are a tenth of a 4 GB machine."""

CHUNK_ELEMENTS = 32 * 1024
"""256 KiB of float64: the triad's scratch stays in the second-level cache, so it adds no memory traffic."""

READ_CHUNK_ELEMENTS = 8 * 1024
"""OpenBLAS starts threads of its own for dot products of more than 10,000 elements; ours are already running."""

MATRIX_SIZE = 1024


@dataclass(frozen=True, slots=True)
class MachineLimits:
    """Measured ceilings of this machine's CPU.

    Attributes:
        triad_bytes_per_s: STREAM triad a = b + s * c, 24 bytes an element, best pass (McCalpin 1995; write-allocate
            traffic is not counted, as in STREAM).
        read_bytes_per_s: reading only (a dot product), best pass: what decoding does with weights.
        matrix_flops_per_s: float32 matrix product, 2 n^3 operations, best pass.
        threads: threads of the triad and the read; NumPy's BLAS chooses its own for the matrix product.
        array_bytes: size of each of the arrays read or written, of all threads together.
        cache_bytes: last-level cache; the arrays together are larger.
    """

    triad_bytes_per_s: float
    read_bytes_per_s: float
    matrix_flops_per_s: float
    threads: int
    array_bytes: int
    cache_bytes: int

    @property
    def bandwidth_bytes_per_s(self) -> float:
        """The higher of the two bandwidths: a ceiling that an engine should not pass."""
        return max(self.triad_bytes_per_s, self.read_bytes_per_s)

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return asdict(self)


def measure_limits(threads: int | None = None, seconds: float = 1.0) -> MachineLimits:
    """Measure this machine; takes about three times `seconds`, plus filling the arrays.

    Args:
        threads: how many to use; None means all cores this process may run on.
        seconds: time for each of the three measurements; the best pass counts, at least three are made.
    """
    threads = threads or usable_cores()
    cache_bytes = last_level_cache_bytes()
    # STREAM's rule is four times the cache; hosts of virtual machines report caches that are not ours alone.
    array_bytes = min(max(4 * cache_bytes, 64 * 2**20), LARGEST_ARRAY_BYTES)
    elements = array_bytes // 8 // threads
    slices = [tuple(np.full(elements, value) for value in (0.0, 1.0, 2.0)) for _ in range(threads)]
    with ThreadPoolExecutor(threads) as pool:

        def triad() -> None:
            list(pool.map(_triad, slices))

        def read() -> None:
            list(pool.map(_read, slices))

        triad_s = _best_pass_s(triad, seconds)
        read_s = _best_pass_s(read, seconds)
    moved = elements * 8 * threads
    left = np.random.default_rng(0).random((MATRIX_SIZE, MATRIX_SIZE), dtype=np.float32)
    product = np.empty_like(left)
    matrix_s = _best_pass_s(lambda: np.matmul(left, left, out=product), seconds)
    return MachineLimits(
        triad_bytes_per_s=3 * moved / triad_s,
        read_bytes_per_s=2 * moved / read_s,
        matrix_flops_per_s=2 * MATRIX_SIZE**3 / matrix_s,
        threads=threads,
        array_bytes=moved,
        cache_bytes=cache_bytes,
    )


def last_level_cache_bytes(root: Path = Path("/sys/devices/system/cpu/cpu0/cache")) -> int:
    """Size of the largest cache the first core reports; a stated assumption where the system tells nothing."""
    units = {"": 1, "K": 2**10, "M": 2**20}
    sizes = [re.fullmatch(r"(\d+)([KM]?)", path.read_text().strip()) for path in root.glob("index*/size")]
    return max((int(size[1]) * units[size[2]] for size in sizes if size), default=FALLBACK_CACHE_BYTES)


def _triad(arrays: tuple[np.ndarray[Any, Any], ...]) -> None:
    total, left, right = arrays
    scratch = np.empty(CHUNK_ELEMENTS)
    for start in range(0, total.size, CHUNK_ELEMENTS):
        part = slice(start, start + CHUNK_ELEMENTS)
        scaled = scratch[: right[part].size]
        np.multiply(right[part], 3.0, out=scaled)
        np.add(left[part], scaled, out=total[part])


def _read(arrays: tuple[np.ndarray[Any, Any], ...]) -> None:
    _, left, right = arrays
    for start in range(0, left.size, READ_CHUNK_ELEMENTS):
        np.dot(left[start : start + READ_CHUNK_ELEMENTS], right[start : start + READ_CHUNK_ELEMENTS])


def _best_pass_s(run: Callable[[], Any], seconds: float) -> float:
    run()
    passes: list[float] = []
    end = time.perf_counter() + seconds
    while len(passes) < 3 or time.perf_counter() < end:
        start = time.perf_counter()
        run()
        passes.append(time.perf_counter() - start)
    return min(passes)
