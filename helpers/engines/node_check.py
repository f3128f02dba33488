"""Whether several machines can serve together: asked over ssh, with the user's own keys, changing nothing."""

import subprocess
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Any

from helpers.engines.nodes import INTERFACE

ASK_LIMIT_S = 20.0
CLOCK_LIMIT_S = 0.5
"""Clocks further apart than this make logs and time-outs of one engine on two machines hard to read."""

FAST_MBIT_S = 100_000
"""A Spark's QSFP link is 200 Gbit/s; 10 GbE is the wrong interface for tensor parallelism."""

QUESTIONS = r"""
echo "time=$(date +%s.%N)"
echo "machine=$(uname -m)"
echo "driver=$(nvidia-smi --query-gpu=driver_version --format=csv,noheader 2>/dev/null | head -n 1)"
echo "gpu=$(nvidia-smi --query-gpu=name --format=csv,noheader 2>/dev/null | head -n 1)"
echo "docker=$(docker version --format '{{.Server.Version}}' 2>/dev/null)"
for path in /sys/class/net/*; do
  name=$(basename "$path")
  address=$(ip -o -4 addr show dev "$name" 2>/dev/null | awk '{print $4; exit}')
  echo "interface=$name|$(cat "$path/operstate" 2>/dev/null)|$(cat "$path/speed" 2>/dev/null)|$address"
done
"""


@dataclass(frozen=True, slots=True)
class Node:
    """What one machine said.

    Attributes:
        name: as ssh knows it.
        reached: whether it answered; failure: why not.
        clock_offset_s: its clock minus ours; clock_error_s: how wrong that may be (half of the time it took to ask).
        facts: machine, driver, gpu, docker; empty where it has none.
        interfaces: name -> (state, Mbit/s, IPv4 address).
    """

    name: str
    reached: bool
    failure: str = ""
    clock_offset_s: float = 0.0
    clock_error_s: float = 0.0
    facts: dict[str, str] = field(default_factory=dict)
    interfaces: dict[str, tuple[str, int, str]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return asdict(self)


def ask_nodes(names: Sequence[str]) -> list[Node]:
    """Ask all of them at once; one that does not answer is in the list with its failure."""
    with ThreadPoolExecutor(len(names)) as pool:
        return list(pool.map(_ask, names))


def problems(nodes: Sequence[Node], interface: str = INTERFACE) -> list[str]:
    """What keeps these machines from serving together, each with what to do."""
    found = [f"{node.name} cannot be reached: {node.failure}" for node in nodes if not node.reached]
    reached = [node for node in nodes if node.reached]
    for node in reached:
        if abs(node.clock_offset_s) - node.clock_error_s > CLOCK_LIMIT_S:
            found.append(f"{node.name}: its clock is {node.clock_offset_s:+.1f} s off (sudo timedatectl set-ntp true)")
        if not node.facts["gpu"]:
            found.append(f"{node.name}: no NVIDIA GPU that nvidia-smi reports")
        if not node.facts["docker"]:
            found.append(f"{node.name}: no Docker daemon that this user can use")
        state, speed, address = node.interfaces.get(interface, ("missing", 0, ""))
        if state != "up" or not address or speed < FAST_MBIT_S:
            fast = [name for name, (up, rate, _) in node.interfaces.items() if up == "up" and rate >= FAST_MBIT_S]
            hint = f"up are {', '.join(fast)}: plan with that one" if fast else "is the QSFP cable in? see ibdev2netdev"
            what = f"{state}, {speed} Mbit/s, {address or 'no IPv4 address'}"
            found.append(f"{node.name}: interface {interface} is {what} ({hint})")
    for name in ("machine", "driver", "docker"):
        values = {node.name: node.facts[name] for node in reached if node.facts[name]}
        if len(set(values.values())) > 1:
            told = ", ".join(f"{host} {value}" for host, value in values.items())
            found.append(f"{name} differs: {told} (bring both to the same version)")
    return found


def _ask(name: str) -> Node:
    argv = ["ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=5", "--", name, "sh", "-s"]
    sent_s = time.time()
    try:
        done = subprocess.run(argv, input=QUESTIONS, capture_output=True, text=True, timeout=ASK_LIMIT_S, check=False)
    except FileNotFoundError:
        return Node(name, False, "there is no ssh here")
    except subprocess.TimeoutExpired:
        return Node(name, False, f"no answer within {ASK_LIMIT_S:g} s")
    received_s = time.time()
    if done.returncode:
        words = (done.stderr.strip().splitlines() or ["ssh failed"])[-1]
        return Node(name, False, f"{words} (ssh-copy-id {name})")
    answers = [line.partition("=")[::2] for line in done.stdout.splitlines() if "=" in line]
    facts = {key: value.strip() for key, value in answers if key != "interface"}
    interfaces = {}
    for key, value in answers:
        if key == "interface":
            interface, state, speed, address = value.split("|")
            interfaces[interface] = (state, int(speed) if speed.isdigit() else 0, address)  # -1 or nothing when down
    theirs_s = float(facts.pop("time"))
    return Node(
        name,
        True,
        clock_offset_s=theirs_s - (sent_s + received_s) / 2,
        clock_error_s=(received_s - sent_s) / 2,
        facts=facts,
        interfaces=interfaces,
    )
