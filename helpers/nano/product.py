"""Matrix products of a few tokens with a large weight: what verification of proposals lives from.

One token times a weight reads the weight once. OpenBLAS, which is behind NumPy, takes another way for two tokens and
more: it first copies the weight into an order of its own, which for a few tokens costs three times as much as the
product. Only products of up to about a million multiplications go without that copy (its small-matrix kernels, x86-64
with AVX-512). So a large weight is kept output by output, and a few tokens are multiplied with one slice of it after
the other: five tokens then take 1.5 to 1.9 times as long as one, instead of four times (measured, 1,024 x 4,096).
Weights that stay in the processor's caches gain nothing from it.
"""

import numpy as np

from helpers.models.checkpoint import Floats

LARGE_WEIGHT = 2**20
"""Elements from which a weight counts as large: 4 MiB, more than a core's own cache."""
MOST_TOKENS = 16
SMALL_PRODUCT = 900_000


def fuse_rows(*weights: Floats) -> Floats:
    """Weights of the same inputs, [outputs, inputs] each, as one [inputs, outputs].

    A large one is a view of rows that are kept output by output, a small one is contiguous itself.
    """
    fused = np.concatenate(weights)
    return fused.T if fused.size >= LARGE_WEIGHT else np.ascontiguousarray(fused.T)


def multiply(values: Floats, weight: Floats) -> Floats:
    """values @ weight, for a weight made by `fuse_rows`.

    Args:
        values: [tokens, inputs].
        weight: [inputs, outputs].
    """
    (tokens, inputs), outputs = values.shape, weight.shape[1]
    if not 2 <= tokens <= MOST_TOKENS or weight.size < LARGE_WEIGHT:
        product: Floats = values @ weight
        return product
    width = max(1, SMALL_PRODUCT // (tokens * inputs))
    result = np.empty((tokens, outputs), dtype=np.float32)
    for start in range(0, outputs, width):
        np.matmul(values, weight[:, start : start + width], out=result[:, start : start + width])
    return result
