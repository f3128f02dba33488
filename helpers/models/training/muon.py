"""Muon: momentum, made orthogonal by Newton-Schulz steps (Jordan et al., 2024), for the network's weight matrices."""

import torch
from torch import Tensor

# Quintic coefficients of the reference implementation, https://github.com/KellerJordan/Muon.
_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
_STEPS = 5
DECAY = 0.2
"""Keeps singular values below 1 / DECAY: without a bound, query and key grow until attention is saturated."""


class Muon:
    """Optimizer state and update for matrices; pieces of one shape are made orthogonal together.

    Args:
        matrices: the parameters, all two-dimensional, each with the sizes of its pieces along the rows. Projections
            that share a matrix must be pieces of their own: made orthogonal as one, the value projection with its
            larger gradients would leave query and key nearly unmoved, and no copying would be learnt.
        momentum: of the Nesterov momentum.
    """

    def __init__(self, matrices: list[tuple[torch.nn.Parameter, list[int]]], momentum: float = 0.95) -> None:
        self.matrices = matrices
        self.momentum = momentum
        self.buffers = [torch.zeros_like(matrix) for matrix, _ in matrices]

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def step(self, rate: float) -> None:
        """Moves each piece by `rate` along its orthogonal momentum; it first loses the share `rate * DECAY`."""
        groups: dict[tuple[int, ...], list[tuple[Tensor, Tensor]]] = {}
        for (matrix, sizes), buffer in zip(self.matrices, self.buffers, strict=True):
            buffer.lerp_(matrix.grad, 1 - self.momentum)
            move = torch.lerp(matrix.grad, buffer, self.momentum)
            matrix.grad = None
            for piece, piece_move in zip(matrix.split(sizes), move.split(sizes), strict=True):
                groups.setdefault(tuple(piece.shape), []).append((piece, piece_move))
        for (rows, columns), pieces in groups.items():
            updates = _orthogonalize(torch.stack([move for _, move in pieces]))
            scale = rate * max(1.0, rows / columns) ** 0.5
            for (piece, _), update in zip(pieces, updates, strict=True):
                piece.mul_(1 - rate * DECAY).add_(update, alpha=-scale)


def _orthogonalize(matrices: Tensor) -> Tensor:
    """[count, rows, columns] with singular values near one."""
    first, second, third = _COEFFICIENTS
    tall = matrices.shape[1] > matrices.shape[2]
    current = matrices.mT if tall else matrices
    current = (current / (current.norm(dim=(1, 2), keepdim=True) + 1e-7)).bfloat16()
    for _ in range(_STEPS):
        gram = current @ current.mT
        current = first * current + (second * gram + third * gram @ gram) @ current
    return (current.mT if tall else current).float()
