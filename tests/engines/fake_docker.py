"""A docker for tests, standard library only; its containers are files beside the program it is run by.

run [--label KEY=VALUE] --name NAME PORT    a fake engine, deaf to SIGTERM, in a session of its own; waits for its end
ps ... --format ...                         NAME, tab, the label's value
rm --force NAME                             ends it, as soon as there is no file `slow`
version                                     is there
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

state = Path(os.environ["FAKE_DOCKER"])
command, words = sys.argv[1], sys.argv[2:]


def after(option: str) -> str:
    return words[words.index(option) + 1] if option in words else ""


if command == "version":
    sys.stdout.write("28.2.2\n")
elif command == "run":
    engine = Path(__file__).with_name("fake_engine.py")
    argv = [sys.executable, "-I", "-S", str(engine), words[-1], "deaf=1"]
    inside = subprocess.Popen(argv, start_new_session=True)
    file = state / f"{after('--name')}.container"
    file.with_suffix(".part").write_text(json.dumps({"pid": inside.pid, "label": after("--label").partition("=")[2]}))
    file.with_suffix(".part").rename(file)
    sys.exit(inside.wait() and 1)
elif command == "ps":
    for file in sorted(state.glob("*.container")):
        sys.stdout.write(f"{file.stem}\t{json.loads(file.read_text())['label']}\n")
elif command == "rm":
    file = state / f"{words[-1]}.container"
    if not file.exists():
        sys.exit(f"No such container: {words[-1]}")
    while (state / "slow").exists():
        time.sleep(0.01)
    os.kill(json.loads(file.read_text())["pid"], signal.SIGKILL)
    file.unlink()
    sys.stdout.write(words[-1] + "\n")
