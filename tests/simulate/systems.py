"""Small systems for the tests."""

from helpers.nano.request import Request
from helpers.simulate.architectures import Architecture, architecture
from helpers.simulate.clock import Stepper
from helpers.simulate.cost import make_layout
from helpers.simulate.devices import published_devices
from helpers.simulate.fit import fit

WINDOWED = architecture("gpt-oss-20b")
DENSE = architecture("llama-3.1-8b")


def make_stepper(model: Architecture = WINDOWED, quantization: str = "mxfp4") -> Stepper:
    layout = make_layout(model, quantization, "vllm")
    return Stepper(model, layout, published_devices()["gb10"], fit().parameters)


def make_request(number: int, prompt_tokens: int, max_tokens: int) -> Request:
    return Request.of(str(number), [number + 1] * prompt_tokens, max_tokens)
