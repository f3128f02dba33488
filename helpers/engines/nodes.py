"""Engines that span machines: two DGX Sparks over their ConnectX ports.

The variables are those of NVIDIA's two-Spark playbooks (July 2026).
"""

import re

from helpers.engines.plan import ServeConfig
from helpers.errors import UsageError

INTERFACE = "enp1s0f0np0"
"""The first ConnectX port of a Spark; `ibdev2netdev` says which of them is up (enp1s0f1np1 is the other)."""

HOST_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*")


def tensor_parallel(config: ServeConfig) -> int:
    """GPUs that share each layer: with nodes one each, since a Spark has one GPU.

    Raises:
        UsageError: one node only, a name that is none, or a number of GPUs that is not the number of nodes.
    """
    if not config.nodes:
        return config.tensor_parallel
    for host in config.nodes:
        if not HOST_NAME.fullmatch(host):
            raise UsageError(f"{host!r} is no host name", "", "--nodes A,B takes names or addresses")
    if len(set(config.nodes)) < 2:
        raise UsageError("nodes needs two machines", "with one machine leave it out", "--nodes A,B")
    if config.tensor_parallel not in (1, len(config.nodes)):
        raise UsageError(
            f"tensor_parallel {config.tensor_parallel} does not fit {len(config.nodes)} nodes",
            "each Spark has one GPU, and each GPU is one part",
            f"--tensor-parallel {len(config.nodes)}",
        )
    return len(config.nodes)


def environment(hosts: tuple[str, ...], interface: str) -> dict[str, str]:
    """Variables that keep the traffic between machines on the fast port."""
    return {
        "MASTER_ADDR": hosts[0],
        "UCX_NET_DEVICES": interface,
        "NCCL_SOCKET_IFNAME": interface,
        "GLOO_SOCKET_IFNAME": interface,
        "TP_SOCKET_IFNAME": interface,
        "OMPI_MCA_btl_tcp_if_include": interface,
    }


def notes(config: ServeConfig, interface: str) -> list[str]:
    """What must hold on the machines."""
    return [
        f"run this on {config.nodes[0]}; {', '.join(config.nodes)} must be the addresses of the ConnectX ports",
        f"interface {interface}: `ibdev2netdev` shows which port is up; change it with the extra option interface",
        f"./course doctor --nodes {','.join(config.nodes)} checks reachability, clocks, versions and interfaces",
    ]
