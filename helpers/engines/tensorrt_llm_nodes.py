"""TensorRT-LLM on two Sparks: the same container on each, an SSH server in it, and mpirun on the first.

After NVIDIA's two-Spark playbook (July 2026); not run here.
"""

import shlex
from dataclasses import replace
from typing import TYPE_CHECKING

from helpers.engines import nodes
from helpers.engines.catalog import find
from helpers.engines.containers import Container
from helpers.engines.plan import LaunchPlan
from helpers.engines.ports import HOST

if TYPE_CHECKING:
    from helpers.engines.gpu_engine import GpuEngine
    from helpers.engines.job import Job

SSH_PORT = 2233


def plan(adapter: "GpuEngine", job: "Job", single: LaunchPlan) -> LaunchPlan:
    """Two steps: `node.sh` on every machine, then the plan's command on the first.

    Args:
        adapter: TensorRT-LLM's.
        job: with nodes.
        single: the plan of the same configuration without nodes; its files are kept.
    """
    config, folder = job.config, job.folder
    interface = job.option("interface", nodes.INTERFACE)
    hosts, node_script, inside = str(folder / "hosts"), str(folder / "node.sh"), str(folder / "ssh-server.sh")
    name = f"course-{config.engine}-{config.port}"
    machine = adapter.serve(job, 0)
    environment = {
        **nodes.environment(config.nodes, interface),
        "OMPI_MCA_orte_default_hostfile": hosts,
        "OMPI_MCA_rmaps_ppr_n_pernode": "1",
    }
    container = Container(
        name=name,
        command=["sh", inside],
        port=config.port,
        environment=environment,
        volumes={"$HOME/.ssh": "/host-ssh:ro"},
        read_only=[str(folder)],
        host_network=True,
        options=["--detach"],
    )
    start = shlex.join(container.argv(job.release)).replace("'$HOME/.ssh:/host-ssh:ro'", '"$HOME/.ssh:/host-ssh:ro"')
    serve = [*machine.argv]
    launch = ["docker", "exec", name, "mpirun", "-x", "HF_TOKEN", "-x", "TRITON_PTXAS_PATH", "trtllm-llmapi-launch"]
    others = ", ".join(config.nodes)
    return replace(
        single,
        argv=(*launch, *serve),
        env={},
        files={
            **machine.files,
            hosts: "".join(f"{host} slots=1\n" for host in config.nodes),
            inside: SSH_SERVER,
            node_script: f"#!/bin/sh\n# On {others}: the container that mpirun reaches over SSH.\nset -eu\n{start}\n",
        },
        urls={**single.urls, "iterations": f"http://{HOST}:{config.port}/metrics"},
        notes=(
            f"first, on each of {others}: copy {folder} to the same path and run sh {shlex.quote(node_script)}",
            f"then this on {config.nodes[0]}; afterwards, on each: docker stop {name}",
            f"the hosts must reach each other by SSH key without a password; inside, port {SSH_PORT}",
            *single.notes,
            *nodes.notes(config, interface),
            f"{find('tensorrt-llm').title} calls its DGX Spark support beta and single-node (release notes 1.2); "
            "two nodes are the playbook's recipe",
        ),
    )


SSH_SERVER = f"""#!/bin/sh
# Inside the container: an SSH server for mpirun, with the keys of the host's user.
set -eu
command -v sshd > /dev/null || (apt-get update && apt-get install -y openssh-server)
mkdir -p /run/sshd /root/.ssh
cp /host-ssh/* /root/.ssh/
printf 'Host *\\n  Port {SSH_PORT}\\n  StrictHostKeyChecking accept-new\\n' > /root/.ssh/config
chown -R root:root /root/.ssh
chmod -R go-rwx /root/.ssh
exec /usr/sbin/sshd -D -p {SSH_PORT}
"""
"""Open MPI starts its daemons over ssh, and the hosts' own port 22 leads out of the container."""
