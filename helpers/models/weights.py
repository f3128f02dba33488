"""How many bytes a weight takes in each precision."""

from helpers.errors import UsageError

BYTES_PER_WEIGHT = {
    "f32": 4.0,
    "bf16": 2.0,
    "f16": 2.0,
    "fp8": 1.0,
    "int8": 1.0,
    "q8_0": 34 / 32,
    "q4_k_m": 4.85 / 8,
    "nvfp4": 4.5 / 8,
    "mxfp4": 4.25 / 8,
    "int4": 4.125 / 8,
}
"""Precision -> bytes a weight, scales included. int8: one scale an output, nothing beside its weights. q8_0: 32 int8
and one f16 scale a block (ggml). q4_k_m: about 4.85 bits, a mix of block types that differs a little from model to
model (llama.cpp tools/quantize). nvfp4: 16 values of 4 bits and an 8-bit scale; mxfp4: 32 values of 4 bits and an 8-bit
scale (OCP MX 1.0); int4: groups of 128 with one f16 scale (GPTQ's usual layout)."""


def bytes_per_weight(precision: str) -> float:
    """Bytes a weight takes, scales included.

    Raises:
        UsageError: the precision is not in the table.
    """
    if precision not in BYTES_PER_WEIGHT:
        raise UsageError(f"unknown precision {precision!r}", f"known are {', '.join(BYTES_PER_WEIGHT)}", "")
    return BYTES_PER_WEIGHT[precision]
