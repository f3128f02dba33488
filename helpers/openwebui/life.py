"""Open WebUI started and stopped. It runs on until it is stopped; a file says which process it is."""

import json
import os
import subprocess
from time import monotonic, sleep

import psutil

from helpers.errors import EngineFailed, MissingError
from helpers.openwebui.plan import OpenWebUIPlan, home, program
from helpers.openwebui.rest import is_up

START_LIMIT_S = 300.0
"""It takes half a minute, with an empty disk cache some minutes."""

STOP_LIMIT_S = 20.0
LOG_LINES = 5


def running() -> psutil.Process | None:
    """The process that was started; None if it has ended."""
    try:
        record = json.loads((home() / "process.json").read_text(encoding="utf-8"))
        process = psutil.Process(record["pid"])
        # A number is used again after its process; the time of its birth is not.
        alive = process.create_time() == record["born"] and process.status() != psutil.STATUS_ZOMBIE
    except (OSError, ValueError, LookupError, psutil.Error):
        return None
    return process if alive else None


def start(plan: OpenWebUIPlan) -> None:
    """Start it and wait until it answers.

    Raises:
        MissingError: it is not installed. EngineFailed: it runs already, or ended at once; with its last words.
    """
    if plan.argv[0] == str(program()) and not program().is_file():
        raise MissingError("Open WebUI is not installed", "", "./course openwebui install")
    if running() is not None:
        raise EngineFailed("Open WebUI runs already", "", "./course openwebui stop")
    (home() / "data").mkdir(parents=True, exist_ok=True)
    log = home() / "log.txt"
    with log.open("wb") as output:
        process = subprocess.Popen(
            plan.argv,
            cwd=plan.folder,
            env={**os.environ, **plan.env},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    record = {"pid": process.pid, "born": psutil.Process(process.pid).create_time(), "url": plan.url}
    (home() / "process.json").write_text(json.dumps(record), encoding="utf-8")
    deadline_s = monotonic() + START_LIMIT_S
    while not is_up(plan.url):
        if process.poll() is not None or monotonic() > deadline_s:
            stop()
            words = " ".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES:])
            raise EngineFailed("Open WebUI did not start", words[-400:], f"read {log}")
        sleep(0.2)
    process.returncode = 0  # it is nobody's child to wait for any more


def stop() -> bool:
    """End it and what it has started; False if it did not run."""
    process = running()
    (home() / "process.json").unlink(missing_ok=True)
    if process is None:
        return False
    family = [process, *process.children(recursive=True)]
    for each in family:
        each.terminate()
    _, alive = psutil.wait_procs(family, timeout=STOP_LIMIT_S)
    for each in alive:
        each.kill()
    psutil.wait_procs(alive, timeout=STOP_LIMIT_S)
    return True
