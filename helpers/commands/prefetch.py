"""`./course prefetch [TASK...]`: what will be downloaded (sizes, minutes, disk), then the download."""

import argparse
import json
import sys
from typing import Any

from helpers.errors import UsageError

TASKS = range(1, 7)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("tasks", nargs="*", metavar="TASK", help="1 to 6 (default: all)")
    parser.add_argument("--dry-run", action="store_true", help="only say what would be downloaded")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Say it, then do it; 3 if something could not be had."""
    from helpers.hardware import choose_profile, read_hardware
    from helpers.models import prefetch

    out = sys.stderr if arguments.json else sys.stdout
    tasks = [_task(name) for name in arguments.tasks]
    profile = choose_profile(read_hardware())
    if profile == "laptop":
        _say_laptop(tasks, out)
        if arguments.json:
            print(json.dumps({"profile": profile, "downloads": []}))
        return 0
    found: list[dict[str, Any]] = []
    for download in prefetch.downloads(tasks):
        size = None if download.ollama else prefetch.ask_size(download)
        missing = download.estimated_bytes if size is None else size.missing_bytes
        total = download.estimated_bytes if size is None else size.total_bytes
        found.append({"name": download.name, "from": download.repository, "bytes": total, "missing_bytes": missing})
        about = "about " if size is None else ""
        print(f"{about}{total / 1e9:6.1f} GB, {missing / 1e9:6.1f} GB to get  {download.repository}", file=out)
    missing_bytes = sum(entry["missing_bytes"] for entry in found)
    times = " or ".join(
        f"{prefetch.minutes(missing_bytes, rate):.0f} min at {rate} Mbit/s" for rate in prefetch.RATES_MBIT_S
    )
    free = prefetch.require_disk(missing_bytes)
    print(f"{missing_bytes / 1e9:.1f} GB to get: {times}. {free / 1e9:.0f} GB of disk are free.", file=out)
    if not arguments.dry_run:
        for download in prefetch.downloads(tasks):
            if download.ollama:
                print(f"By Ollama itself: ollama pull {download.repository}", file=out)
            else:
                print(f"{download.repository}: {prefetch.fetch(download)}", file=out, flush=True)
    if arguments.json:
        print(json.dumps({"profile": profile, "downloads": found, "missing_bytes": missing_bytes, "free_bytes": free}))
    return 0


def _task(name: str) -> int:
    number = name.removeprefix("12.").partition("_")[0]
    if not number.isdigit() or int(number) not in TASKS:
        raise UsageError(f"there is no task {name!r}", "the tasks are 1 to 6", "./course prefetch 1")
    return int(number)


def _say_laptop(tasks: list[int], out: Any) -> None:
    from helpers.engines import catalog, environments
    from helpers.models.prefetch import VLLM_TASKS

    print("No model is downloaded on a laptop: the course model comes with the course.", file=out)
    releases = [r for r in catalog.find("vllm").releases if r.lock and r not in environments.installed("vllm")]
    if releases and (not tasks or set(tasks) & set(VLLM_TASKS)):
        size = f"{releases[0].install_gb} GB of disk"
        print(f"For tasks 12.1, 12.2 and 12.4 real vLLM can be added ({size}): ./course engines install vllm", file=out)
