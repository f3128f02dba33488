"""Muon: momentum, made orthogonal by Newton-Schulz steps (Jordan et al., 2024), for the network's weight matrices."""

import torch
from torch import Tensor

# Quintic coefficients of the reference implementation, https://github.com/KellerJordan/Muon.
_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
_STEPS = 5


class Muon:
    """Optimizer state and update for matrices; matrices of one shape are made orthogonal together.

    Args:
        matrices: the parameters, all two-dimensional.
        momentum: of the Nesterov momentum.
    """

    def __init__(self, matrices: list[torch.nn.Parameter], momentum: float = 0.95) -> None:
        self.matrices = matrices
        self.momentum = momentum
        self.buffers = [torch.zeros_like(matrix) for matrix in matrices]

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def step(self, rate: float, decay: float = 0.01) -> None:
        """Moves each matrix by `rate` along its orthogonal momentum; it first loses the share `rate * decay`."""
        groups: dict[tuple[int, ...], list[int]] = {}
        for index, matrix in enumerate(self.matrices):
            assert matrix.grad is not None
            self.buffers[index].lerp_(matrix.grad, 1 - self.momentum)
            groups.setdefault(tuple(matrix.shape), []).append(index)
        for (rows, columns), indices in groups.items():
            moves = [torch.lerp(self.matrices[i].grad, self.buffers[i], self.momentum) for i in indices]
            updates = _orthogonalize(torch.stack(moves))
            scale = rate * max(1.0, rows / columns) ** 0.5
            for index, update in zip(indices, updates, strict=True):
                self.matrices[index].mul_(1 - rate * decay).add_(update, alpha=-scale)
                self.matrices[index].grad = None


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
