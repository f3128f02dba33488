"""Runs that may be compared: the same model on the same machine."""

from collections.abc import Iterable
from dataclasses import dataclass

from helpers.bench.run import Run


@dataclass(frozen=True, slots=True)
class Group:
    """Runs that may be compared: one model on one machine, each run under its variant's name."""

    model: str
    machine: str
    runs: tuple[Run, ...]

    @property
    def title(self) -> str:
        """For a heading."""
        return f"{self.model} on {self.machine}"


def variant_name(run: Run) -> str:
    """Engine and precision: what differs inside a group; a simulated run says so wherever it is named."""
    simulated = "(simulated)" if run.origin == "simulated" else ""
    return " ".join(filter(None, (run.target.engine, run.target.precision, simulated)))


def origin_text(runs: Iterable[Run]) -> str:
    """Where the figures of these runs come from, as the last sentence of a paragraph: "Source: measured." """
    return f"Source: {' and '.join(dict.fromkeys(run.origin for run in runs))}."


def lengths_text(run: Run) -> str:
    """Prompt and answer lengths in tokens, as "128 / 64"."""

    def text(lengths: tuple[int, ...]) -> str:
        return " ".join(str(length) for length in dict.fromkeys(lengths)) or "given"

    return f"{text(run.workload.input_tokens)} / {text(run.workload.output_tokens)}"


def machine_name(run: Run) -> str:
    """The processor and its usable cores, as the run's provenance has them."""
    hardware = run.provenance.get("hardware", {})
    gpus = ", ".join(gpu.get("name", "GPU") for gpu in hardware.get("gpus") or [])
    cores = f"{hardware['cores']} cores" if "cores" in hardware else ""
    return ", ".join(filter(None, (hardware.get("processor", "an unknown machine"), cores, gpus)))


def group_runs(runs: Iterable[Run]) -> list[Group]:
    """Split runs into groups that may be compared, the largest first; machines of one kind are told apart by id."""
    groups: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        groups.setdefault((run.target.model, run.provenance.get("machine_id", "")), []).append(run)
    names = {machine: machine_name(members[0]) for (_, machine), members in groups.items()}
    kinds = list(names.values())
    names = {
        machine: f"{name} (machine {machine[:6]})" if kinds.count(name) > 1 else name for machine, name in names.items()
    }
    made = [Group(model, names[machine], tuple(members)) for (model, machine), members in groups.items()]
    return sorted(made, key=lambda group: -len({variant_name(run) for run in group.runs}))
