"""Annealed importance sampling as one would first write it: a Python loop over data and chains, on plain tensors."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def looped_ais(decoder: nn.Module, x: Tensor, betas: Tensor, step_sizes: Tensor, num_chains: int, num_leapfrog: int):
    """log w [S, B] of chains from a standard normal prior with Bernoulli pixels, one after the other.

    Args:
        decoder: from z [L] to logits [D].
        x: binary data [B, D].
        betas: inverse temperatures [T + 1].
        step_sizes: of the leapfrog rule at each temperature between, [T - 1, B].
        num_chains: number S of chains a datum.
        num_leapfrog: leapfrog steps a trajectory.
    """
    latent_dim = next(decoder.parameters()).shape[1]
    rows = [
        [_chain(decoder, datum, betas.tolist(), sizes.tolist(), num_leapfrog, latent_dim) for _ in range(num_chains)]
        for datum, sizes in zip(x, step_sizes.T)
    ]
    return torch.tensor(rows, dtype=torch.float64).T


def _chain(
    decoder: nn.Module, x: Tensor, betas: list[float], step_sizes: list[float], num_leapfrog: int, latent_dim: int
) -> float:
    def evaluate(z: Tensor, beta: float) -> tuple[Tensor, Tensor, Tensor]:
        """log pi_beta up to a constant, its gradient, and log p(x|z)."""
        z = z.detach().requires_grad_()
        log_px_z = -F.binary_cross_entropy_with_logits(decoder(z), x, reduction="sum")
        value = beta * log_px_z - 0.5 * z.square().sum()
        (gradient,) = torch.autograd.grad(value, z)
        return value.detach(), gradient, log_px_z.detach()

    z, log_w = torch.randn(latent_dim), 0.0
    for before, beta, eps in zip(betas, betas[1:], step_sizes):
        value, gradient, log_px_z = evaluate(z, beta)
        log_w += (beta - before) * log_px_z.item()
        momentum = torch.randn(latent_dim)
        energy = 0.5 * momentum.square().sum() - value
        end = z
        for _ in range(num_leapfrog):
            momentum = momentum + 0.5 * eps * gradient
            end = end + eps * momentum
            value, gradient, _ = evaluate(end, beta)
            momentum = momentum + 0.5 * eps * gradient
        if torch.rand(()).log() < energy - 0.5 * momentum.square().sum() + value:
            z = end
    with torch.no_grad():
        log_px_z = -F.binary_cross_entropy_with_logits(decoder(z), x, reduction="sum")
    return log_w + (betas[-1] - betas[-2]) * log_px_z.item()
