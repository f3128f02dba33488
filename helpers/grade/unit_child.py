"""The process of one work unit: reads its request from standard input, writes unit.json, and leaves nothing behind.

It takes a network of its own first, in which its engines and the submission's kernel then are. It ends, and with it all
that it started, when its standard input ends: whoever asked is gone.
"""

import contextlib
import json
import os
import signal
import sys
import threading
import traceback
from pathlib import Path

from helpers.grade import jail
from helpers.grade.removal import remove_tree

LOG_BYTES = 1_000_000
SWEEPS = 20
PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """Processes whose parents end become our children, so that they can be found (Linux)."""
    if sys.platform == "linux":
        jail.call("prctl", PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def sweep() -> None:
    """Kill everything below this process, until nothing is left."""
    import psutil

    for _ in range(SWEEPS):
        children = psutil.Process().children(recursive=True)
        if not children:
            return
        for child in children:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
        psutil.wait_procs(children, timeout=1.0)


def end_with_parent(scratch: Path) -> None:
    """Wait for the end of standard input, then end this process and everything below it."""
    sys.stdin.buffer.read()
    sweep()
    remove_tree(scratch)
    os._exit(1)


def main() -> None:
    """Grade the unit."""
    jail.die_with_parent()
    request = json.loads(sys.stdin.buffer.readline())
    adopt_orphans()
    if request["sandbox"]["network"]:
        jail.loopback_only()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    scratch = Path(request["scratch"])
    threading.Thread(target=end_with_parent, args=(scratch,), daemon=True).start()
    # jsonschema would compile a grammar of URIs at each start, 1.2 s, which no check of a notebook uses.
    sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]
    code = 1
    try:
        from helpers.grade.request import UnitRequest
        from helpers.grade.sandbox import take_slot
        from helpers.grade.unit import Unit

        if request["sandbox"]["other_user"]:
            request["slot"] = take_slot()
        Unit(UnitRequest.from_json(request)).grade()
        code = 0
    except Exception:  # noqa: BLE001  (visible: it stands in the log, and the unit is tried again)
        traceback.print_exc()
    sweep()
    remove_tree(scratch)
    sys.stdout.flush()
    sys.stderr.flush()
    with contextlib.suppress(OSError):
        if os.fstat(2).st_size > LOG_BYTES:
            os.ftruncate(2, LOG_BYTES)
    # The thread that waits for standard input must not keep this process.
    os._exit(code)


if __name__ == "__main__":
    main()
