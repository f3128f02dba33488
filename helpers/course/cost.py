"""What a task takes of a machine: the cell below each notebook's introduction, made from the task and the catalogues.

Sizes are computed from parameters and precision; `./course prefetch TASK --dry-run` asks the hub for the exact ones.
"""

from helpers.course.catalogue import Entry
from helpers.engines import catalog
from helpers.models import prefetch

CELL_ID = "cost"
TAG = "cost"
"""So that other tools find the cell."""


def cost_text(entry: Entry) -> str:
    """The table, in Markdown: a laptop beside a DGX Spark."""
    wanted = prefetch.downloads([entry.name]) if isinstance(entry.name, int) else []
    count = sum(download.estimated_bytes for download in wanted)
    minutes = " or ".join(
        f"{_number(prefetch.minutes(count, rate))} at {rate} Mbit/s" for rate in prefetch.RATES_MBIT_S
    )
    task = entry.task
    gpu = f"about {task.gpu_minutes} minutes (an estimate, not measured)" if task.gpu_minutes else "none is used"
    rows = [
        ("machine", task.needs, "one DGX Spark"),
        ("GPU", "none", gpu),
        ("download", "nothing" + _vllm(entry), "; ".join(map(_line, wanted)) or "nothing"),
        ("minutes of download", "none", minutes if count else "none"),
        ("disk", "the course itself", f"about {count / 1e9:.0f} GB, and the engines' images" if count else "none"),
    ]
    head = "| | laptop, embedded engine | DGX Spark, its own engines |\n|---|---|---|\n"
    table = head + "\n".join(f"| {name} | {here} | {there} |" for name, here, there in rows)
    command = f"`./course prefetch {entry.name} --dry-run` says what is here already, and exact sizes."
    return f"{table}\n\n{command}" if wanted else table


def _vllm(entry: Entry) -> str:
    if entry.name not in prefetch.VLLM_TASKS:
        return ""
    release = next(release for release in catalog.find("vllm").releases if release.lock)
    return f"; real vLLM can be added ({release.install_gb:g} GB of disk: `./course engines install vllm`)"


def _line(download: prefetch.Download) -> str:
    where = "Ollama's library" if download.ollama else "the hub"
    size = (
        f"about {_number(download.estimated_bytes / 1e9)} GB"
        if download.estimated_bytes
        else "a draft, small beside it"
    )
    return f"`{download.repository}` from {where}, {size}"


def _number(value: float) -> str:
    return f"{value:.1f}" if value < 10 else f"{value:.0f}"
