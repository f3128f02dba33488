"""A model on a machine behind an engine: what is stored how, whether it fits, and how far the figures may be off."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from helpers.bench.units import bytes_text
from helpers.engines import registry
from helpers.errors import MissingError, UsageError
from helpers.models import catalogue, hub
from helpers.simulate import this_cpu
from helpers.simulate.architectures import Architecture, architecture
from helpers.simulate.clock import Stepper
from helpers.simulate.cost import Layout, make_layout, sequence_bytes, weight_bytes
from helpers.simulate.devices import CPU, Device, published_devices, require_known
from helpers.simulate.fit import fit
from helpers.simulate.parameters import Parameters

BLOCK_SIZE = 16
"""Tokens of a KV block, as vLLM's on a GPU."""

GGUF_ENGINES = ("llama.cpp", "ollama")


class DoesNotFit(MissingError):
    """The memory is too small, by `short_bytes`."""

    short_bytes: int = 0

    @classmethod
    def by(cls, short_bytes: float, what: str, cause: str, next_command: str) -> "DoesNotFit":
        """The error with what is missing."""
        error = cls(what, cause, next_command)
        error.short_bytes = int(short_bytes)
        return error


@dataclass(frozen=True, slots=True)
class System:
    """What is simulated.

    Attributes:
        parallel: machines, or cards, that share each layer.
        memory_factor: the interval's ends are all costs but arithmetic's times and divided by this.
        arithmetic_factor: likewise for arithmetic.
        engines: whose figures the parameters come from.
    """

    device: Device
    architecture: Architecture
    layout: Layout
    engine: str
    quantization: str
    parameters: Parameters
    memory_factor: float
    arithmetic_factor: float
    engines: tuple[str, ...]
    parallel: int = 1
    eager: bool = False

    @property
    def name(self) -> str:
        """The machine, or machines, in words."""
        return self.device.name if self.parallel == 1 else f"{self.parallel} x {self.device.name}"

    def stepper(self, side: int = 0) -> Stepper:
        """The cost of its steps: 0 the estimate, -1 the fast end of the interval, 1 the slow end."""
        parameters = self.parameters.scaled(self.memory_factor**side, self.arithmetic_factor**side)
        return Stepper(self.architecture, self.layout, self.device, parameters, self.parallel, self.eager)

    def blocks(self, sequences: int, longest: int) -> int:
        """Blocks of the KV cache that the memory has room for, or that so many sequences at most need.

        Args:
            sequences: that run at once.
            longest: tokens of the longest, prompt and answer.

        Raises:
            DoesNotFit: not even one sequence has room; the message says by how much.
        """
        model = self.architecture
        left = self.device.usable_bytes * self.parallel - weight_bytes(model, self.layout)
        a_token = model.full_layers * model.kv_values_per_layer * self.layout.kv
        whole = sequence_bytes(model, self.layout, longest)
        if whole > left:
            raise DoesNotFit.by(
                whole - left,
                f"{longest:,} tokens of {model.id} take {bytes_text(whole - left)} more than the memory that is left",
                f"a sequence needs {bytes_text(whole)}; beside the weights {bytes_text(max(left, 0))} are left",
                "shorten the prompt or the answer, or take a smaller quantization",
            )
        fixed = whole - a_token * longest  # windows and recurrent state: the same for every sequence
        most = sequences * -(-(longest + 1) // BLOCK_SIZE) * 2
        if not a_token:
            return most
        fit_in = int((left - min(sequences, int(left // whole)) * fixed) // (a_token * BLOCK_SIZE))
        return max(min(most, fit_in), -(-longest // BLOCK_SIZE))


def make_system(
    device: str,
    model: str,
    *,
    quantization: str = "",
    engine: str = "auto",
    tensor_parallel: int = 1,
    eager: bool = False,
    progress: Callable[[str], None] | None = None,
) -> System:
    """Put a model on a machine.

    Args:
        device: gb10, h100, h200, or cpu: this machine's processor, which is measured once if it was not yet.
        quantization: "" takes the first known one of the model that fits.
        engine: auto is vLLM on a GPU and nano on this CPU.
        progress: told what is measured, if anything is.

    Raises:
        UsageError: an unknown name, or devices that cannot share the model. DoesNotFit: the weights do not fit.
    """
    require_known(device)
    registry.require_name(engine)
    if engine == "auto":
        engine = "nano" if device == CPU else "vllm"
    described = architecture(model)
    _require_parallel(described, device, tensor_parallel)
    machine = this_cpu.describe() if device == CPU else published_devices()[device]
    names = [quantization] if quantization else _known_quantizations(described.id, engine, device)
    layouts = {name: make_layout(described, name, engine) for name in names}
    room = machine.usable_bytes * tensor_parallel
    fitting = [name for name, layout in layouts.items() if weight_bytes(described, layout) <= room]
    if not fitting:
        smallest = min(names, key=lambda name: weight_bytes(described, layouts[name]))
        raise _too_large(described, smallest, weight_bytes(described, layouts[smallest]), machine, tensor_parallel)
    if device == CPU:
        profile = this_cpu.profile(engine, progress)
        machine = replace(machine, bandwidth_bytes_per_s=profile.bandwidth_bytes_per_s, flops_per_s=profile.rates)
        found, memory_factor, arithmetic_factor = (
            profile.parameters_of(described.parameters),
            profile.factor,
            profile.factor,
        )
        engines: tuple[str, ...] = (profile.engine,)
    else:
        fitted = fit()
        found, arithmetic_factor = fitted.parameters, fitted.prefill_factor
        memory_factor = fitted.decode_factor if tensor_parallel == 1 else fitted.sparks_factor
        engines = tuple(sorted({row.figure.engine for row in fitted.of_kind("decode")}))
    return System(
        device=machine,
        architecture=described,
        layout=layouts[fitting[0]],
        engine=engine,
        quantization=fitting[0],
        parameters=found,
        memory_factor=memory_factor,
        arithmetic_factor=arithmetic_factor,
        engines=engines,
        parallel=tensor_parallel,
        eager=eager,
    )


def _require_parallel(model: Architecture, device: str, parallel: int) -> None:
    if parallel < 1:
        raise UsageError(f"tensor_parallel cannot be {parallel}", "it must be at least 1")
    if parallel > 1 and device == CPU:
        raise UsageError("this CPU is one device", "tensor parallelism needs several", "leave --tensor-parallel out")
    if model.heads % parallel:
        raise UsageError(
            f"{model.heads} attention heads of {model.id} cannot be shared by {parallel} devices",
            "each device takes as many heads as the others",
        )


def _known_quantizations(model: str, engine: str, device: str) -> list[str]:
    """What the model is published in for this engine, the default first."""
    if device == CPU or model in catalogue.entries():
        return ["f32"] if device == CPU else ["bf16"]
    entry = hub.models().get(model)
    if entry is None:
        return ["bf16"]
    return list((entry.gguf or entry.repositories) if engine in GGUF_ENGINES else entry.repositories)


def _too_large(model: Architecture, quantization: str, needed: float, device: Device, parallel: int) -> DoesNotFit:
    room = device.usable_bytes * parallel
    machines = device.name if parallel == 1 else f"{parallel} x {device.name}"
    return DoesNotFit.by(
        needed - room,
        f"{model.id} in {quantization} is {bytes_text(needed - room)} larger than the memory of {machines}",
        f"the weights take {bytes_text(needed)}; {bytes_text(room)} can hold weights and KV cache",
        "take a smaller quantization or model, another device, or --tensor-parallel 2",
    )
