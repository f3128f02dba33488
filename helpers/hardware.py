"""What this machine has: processor, memory, GPUs, and the profile that follows from them.

Memory comes from the operating system, never from nvidia-smi: on a DGX Spark CPU and GPU share one pool and
the driver answers N/A. Every fact about a GPU is optional for the same reason.
"""

import os
import platform
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from helpers.config import read_settings
from helpers.errors import UsageError

PROFILES = ("laptop", "spark", "two-sparks")


@dataclass(frozen=True, slots=True)
class Gpu:
    """One NVIDIA GPU; None where the driver does not say (a GB10 reports no memory of its own)."""

    name: str
    memory_bytes: int | None = None
    compute_capability: str | None = None
    driver: str | None = None


@dataclass(frozen=True, slots=True)
class Hardware:
    """The facts that choose engines and models.

    Attributes:
        cores: processors this process may use, which a container or taskset may have cut down.
        memory_bytes: all memory; available_bytes: what can be had without swapping.
    """

    processor: str
    architecture: str
    system: str
    cores: int
    memory_bytes: int
    available_bytes: int
    gpus: list[Gpu] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return asdict(self)


def processor_name() -> str:
    """The processor's marketing name, or its architecture where the system has no name for it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as info:
            for line in info:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except FileNotFoundError:
        pass  # not Linux: the platform module knows
    return platform.processor() or platform.machine()


def usable_cores() -> int:
    """Processors this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def find_gpus() -> list[Gpu]:
    """Ask NVML; an empty list without an NVIDIA driver."""
    import pynvml

    def optional(question: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return question(*arguments)
        except pynvml.NVMLError:
            return None

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return []
    try:
        driver = optional(pynvml.nvmlSystemGetDriverVersion)
        gpus = []
        for index in range(optional(pynvml.nvmlDeviceGetCount) or 0):
            handle = pynvml.nvmlDeviceGetHandleByIndex(index)
            memory = optional(pynvml.nvmlDeviceGetMemoryInfo, handle)
            capability = optional(pynvml.nvmlDeviceGetCudaComputeCapability, handle)
            gpus.append(
                Gpu(
                    name=optional(pynvml.nvmlDeviceGetName, handle) or "NVIDIA GPU",
                    memory_bytes=memory.total if memory is not None else None,
                    compute_capability=".".join(str(part) for part in capability) if capability else None,
                    driver=driver,
                )
            )
        return gpus
    finally:
        pynvml.nvmlShutdown()


def read_hardware() -> Hardware:
    """Look at this machine."""
    import psutil

    memory = psutil.virtual_memory()
    return Hardware(
        processor=processor_name(),
        architecture=platform.machine(),
        system=f"{platform.system()} {platform.release()}",
        cores=usable_cores(),
        memory_bytes=memory.total,
        available_bytes=memory.available,
        gpus=find_gpus(),
    )


def choose_profile(hardware: Hardware) -> str:
    """The profile of this machine: COURSE_PROFILE if it is set, `spark` with a GB10, else `laptop`.

    A second Spark cannot be seen from the first, so `two-sparks` is always asked for.

    Raises:
        UsageError: COURSE_PROFILE names no profile.
    """
    asked = read_settings().profile
    if asked and asked not in PROFILES:
        raise UsageError(
            f"COURSE_PROFILE is {asked!r}", f"the profiles are {', '.join(PROFILES)}", "unset COURSE_PROFILE"
        )
    if asked:
        return asked
    return "spark" if any("GB10" in gpu.name for gpu in hardware.gpus) else "laptop"
