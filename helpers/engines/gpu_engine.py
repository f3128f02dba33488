"""What the engines of Hugging Face models on NVIDIA GPUs have in common: releases, containers, memory, two machines.

An engine says what it is started with (`serve`); this class puts it into a container or not, on one machine or more.
All of it is a pure function of the configuration, the catalogue and the environment's settings: nothing is started.
"""

import shlex
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from helpers.engines import catalog, environments, metrics, nodes
from helpers.engines.catalog import Release
from helpers.engines.containers import Container, docker_problem, plan_folder
from helpers.engines.failures import Symptom
from helpers.engines.job import CONTEXT_BY_DEFAULT, Capabilities, Job, Serve, gated
from helpers.engines.plan import LaunchPlan, ServeConfig
from helpers.engines.ports import HOST
from helpers.engines.sources import Source, find_source, known_precisions
from helpers.errors import UsageError


class GpuEngine:
    """Base of the adapters; see `helpers.engines.adapter.Adapter` for the attributes they share."""

    name: str
    precisions: tuple[str, ...]
    speculations: tuple[str, ...] = ("none", "ngram", "draft", "eagle3")
    options: frozenset[str] = frozenset(
        {"max_model_len", "max_num_seqs", "draft_model", "draft_tokens", "prefix_caching", "eager"}
        | {"tensor_parallel", "nodes", "container", "extra"}
    )
    extra: tuple[str, ...] = ("release", "gpu_memory_fraction", "kv_cache_dtype", "chunked_prefill", "interface")
    capabilities: Capabilities
    metric_names: Mapping[str, str]
    refusals: tuple[Symptom, ...] = ()
    start_limit_s = 1800.0
    program: str
    health_path = "/health"
    metrics_path = "/metrics"

    @property
    def default_port(self) -> int:
        """From the catalogue."""
        return catalog.find(self.name).port

    @property
    def symptoms(self) -> tuple[Symptom, ...]:
        """From the catalogue's pitfalls, and what the hub says of gated models."""
        return (*catalog.find(self.name).symptoms(), *HUB_SYMPTOMS)

    def needs(self) -> tuple[str, str] | None:
        """A GPU, and Docker or the native program."""
        from helpers.hardware import find_gpus

        title = catalog.find(self.name).title
        if not find_gpus():
            return (
                f"an NVIDIA GPU: {title} does not run without one",
                f"./course plan {self.name} shows the command; where it runs elsewhere: "
                f'helpers.attach("http://HOST:PORT/v1", engine="{self.name}")',
            )
        problem = docker_problem()
        if problem and shutil.which(self.program) is None and not environments.installed(self.name):
            return f"{problem}, or {title} installed natively", f"./course engines install {self.name}"
        return None

    def complete(self, config: ServeConfig) -> ServeConfig:
        """Choose release, precision and context; refuse what this engine or this model does not have."""
        container = self.prefers_container(config) if config.container is None else config.container
        kind = "container" if container else "native"
        release = self.choose_release(config, kind)
        precision = config.precision
        if not precision:
            offered = self.offered(config.model)
            servable = self.precisions_of(release)
            fitting = next((name for name in offered if name in servable), "")
            precision = fitting or self.own_precision(config, release)
        elif precision not in self.precisions_of(release):
            raise UsageError(
                f"release {release.name} of {self.name} does not serve {precision}",
                f"it serves {', '.join(self.precisions_of(release))}",
                f"--release takes another of {', '.join(each.name for each in catalog.find(self.name).releases)}",
            )
        source = self.locate(config.model, precision)
        limit = source.context_length
        if limit is not None and config.max_model_len is not None and config.max_model_len > limit:
            raise UsageError(
                f"max_model_len {config.max_model_len} is more than {config.model} was trained for",
                f"its context length is {limit}",
            )
        dtype = config.extra.get("kv_cache_dtype", "")
        if dtype and dtype not in self.capabilities.kv_cache_dtypes:
            raise UsageError(
                f"{self.name} has no kv_cache_dtype {dtype!r}",
                f"it has {', '.join(self.capabilities.kv_cache_dtypes)}",
            )
        completed = replace(
            config,
            container=container,
            precision=precision,
            max_model_len=config.max_model_len or min(limit or CONTEXT_BY_DEFAULT, CONTEXT_BY_DEFAULT),
            tensor_parallel=nodes.tensor_parallel(config),
            extra={**config.extra, "release": release.name},
        )
        self.refuse(self.job(completed))
        return completed

    def plan(self, config: ServeConfig) -> LaunchPlan:
        """The command for a completed configuration; with several nodes, the first one's, the others' as files."""
        job = self.job(config)
        machines = [self.serve(job, rank) for rank in range(max(1, len(config.nodes)))]
        files = dict(machines[0].files)
        notes = [describe(job), *machines[0].notes]
        if job.release.unverified:
            notes.append(f"not verified: {job.release.unverified}; docker manifest inspect {job.release.image} asks")
        if job.source.known is not None and job.source.location in job.source.known.gated:
            notes.append(gated(job.source.location))
        argv, environment = self.wrap(job, machines[0])
        for rank, machine in enumerate(machines[1:], start=1):
            host = config.nodes[rank]
            script = str(job.folder / f"on-{host}.sh")
            other_argv, other_environment = self.wrap(job, machine)
            exports = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in other_environment.items())
            files[script] = f"#!/bin/sh\n# Run this on {host}.\nset -eu\n{exports}exec {shlex.join(other_argv)}\n"
            notes.append(f"on {host}: ssh {host} sh -s < {shlex.quote(script)}, after the command here was started")
        if config.nodes:
            notes += nodes.notes(config, job.option("interface", nodes.INTERFACE))
        root = f"http://{HOST}:{config.port}"
        return LaunchPlan(
            engine=self.name,
            argv=argv,
            env=environment,
            files=files,
            port=config.port,
            urls={
                "api": root + "/v1",
                "health": root + self.health_path,
                "ready": root + self.health_path,
                "metrics": root + self.metrics_path,
                "models": root + "/v1/models",
            },
            notes=tuple(notes),
        )

    def backend(self, config: ServeConfig) -> str:
        """Title, version, form."""
        release = self.job(config).release
        form = release.image if release.kind == "container" else release.package
        return f"{catalog.find(self.name).title} {release.version} ({form})"

    def read_metrics(self, urls: Mapping[str, str]) -> dict[str, float]:
        """Its Prometheus page."""
        return metrics.scrape(urls["metrics"], self.metric_names)

    # What an engine says for itself.

    def serve(self, job: Job, rank: int) -> Serve:
        """What machine number `rank` runs."""
        raise NotImplementedError

    def refuse(self, job: Job) -> None:
        """Raise UsageError for a combination that this engine or release cannot serve."""

    def prefers_container(self, config: ServeConfig) -> bool:
        """Whether it runs in a container when nothing is said."""
        return True

    def choose_release(self, config: ServeConfig, kind: str) -> Release:
        """The release for this configuration."""
        return catalog.choose_release(self.name, kind, config.extra.get("release", ""))

    def offered(self, model: str) -> tuple[str, ...]:
        """The precisions in which the catalogue of downloads has this model for this engine."""
        return known_precisions(model)

    def locate(self, model: str, precision: str) -> Source:
        """What this engine loads for a model; here a hub id or a directory in Hugging Face layout."""
        return find_source(model, precision)

    def precisions_of(self, release: Release) -> tuple[str, ...]:
        """What this release serves of the engine's precisions."""
        return self.precisions

    def own_precision(self, config: ServeConfig, release: Release) -> str:
        """The precision of a model that the catalogue of downloads does not have; empty: as its files say."""
        from helpers.models import catalogue

        return "bf16" if config.model in catalogue.entries() else ""

    # Shared steps.

    def job(self, config: ServeConfig) -> Job:
        """Look everything up for a completed configuration."""
        release = catalog.choose_release(
            self.name, "container" if config.container else "native", config.extra["release"]
        )
        # The port is published on 127.0.0.1 only; on the host's own network the server itself keeps to it.
        inside = config.container and not config.nodes
        return Job(
            config=config,
            release=release,
            source=self.locate(config.model, config.precision),
            draft=self.locate(config.draft_model, "") if config.draft_model else None,
            host="0.0.0.0" if inside else HOST,
            folder=plan_folder(self.name, config.port),
        )

    def wrap(self, job: Job, machine: Serve) -> tuple[tuple[str, ...], dict[str, str]]:
        """Put it into its container, or leave it native; argv and environment."""
        environment = dict(machine.environment)
        if job.config.nodes:
            interface = job.option("interface", nodes.INTERFACE)
            environment = {**nodes.environment(job.config.nodes, interface), **environment}
        if job.release.kind == "native":
            program, *arguments = machine.argv
            own = environments.find_program(self.name, job.release, program)
            return (own or program, *arguments), {**job.release.environment, **environment}
        folders = {str(Path(path).parent) for path in machine.files}
        folders |= {found.location for found in (job.source, job.draft) if found is not None and found.is_path}
        container = Container(
            name=f"course-{self.name}-{job.config.port}",
            command=machine.argv,
            port=job.config.port,
            environment=environment,
            volumes=machine.volumes,
            read_only=sorted(folders | set(machine.read_only)),
            host_network=bool(job.config.nodes),
            options=machine.options,
        )
        return container.argv(job.release), {}


HUB_SYMPTOMS = (
    Symptom(
        r"(?:401|403) Client Error|GatedRepoError|[Aa]ccess to model .* is restricted",
        "the hub does not give out this model",
        "its licence has not been accepted, or HF_TOKEN is not set",
        "accept the licence on the model's page, then: hf auth login, or export HF_TOKEN",
    ),
    Symptom(
        r"no matching manifest for linux/arm64|exec format error",
        "the image is not built for this processor",
        "an x86-only tag",
        "docker manifest inspect IMAGE, and set COURSE_IMAGE_ENGINE to one for arm64",
    ),
    Symptom(
        r"permission denied while trying to connect to the (?:Docker daemon|docker API)",
        "Docker does not let this user start containers",
        "the user is not in the group docker",
        "sudo usermod -aG docker $USER; newgrp docker",
    ),
)


def describe(job: Job) -> str:
    """The release, and where its flags come from."""
    form = job.release.image or job.release.package
    return (
        f"release {job.release.name}: {form}; flags of version {job.release.version}, "
        f"checked {job.release.checked}: {job.release.source}"
    )
