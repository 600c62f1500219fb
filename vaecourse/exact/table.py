"""A posterior written out as a table: the states or nodes of z with the probability of each, for every datum."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.distributions as td
from torch import Tensor


class Table(NamedTuple):
    """log p(x) and the posterior p(z|x) on K states (enumeration) or K nodes of a grid (quadrature)."""

    z: Tensor  # [K, L]
    log_mass: Tensor  # [K, B], log of the posterior probability of each state or cell; sums to one over K
    log_px: Tensor  # [B], nats
    log_cell: float  # log of a cell's volume; 0 for states

    @property
    def log_density(self) -> Tensor:
        """log p(z|x) at the nodes, [K, B], in nats."""
        return self.log_mass - self.log_cell

    def expectation(self, values: Tensor) -> Tensor:
        """Posterior expectation of a function of z, or of z and x.

        Args:
            values: f at the nodes, of shape [K, 1, ...] for f(z), such as ``z[:, None]``, or [K, B, ...] for f(z, x).

        Returns:
            E[f] under p(z|x), of shape [B, ...].
        """
        if values.ndim < 2 or values.shape[1] not in (1, self.log_mass.shape[1]):
            raise ValueError(f"values must have shape [K, 1, ...] or [K, B, ...], and has {list(values.shape)}")
        return torch.einsum(
            "kb,kb...->b...", self.log_mass.exp(), values.expand(*self.log_mass.shape, *values.shape[2:])
        )

    def kl(self, q: td.Distribution) -> Tensor:
        """KL(q || p(z|x)) in nats, [B], for a q of batch shape [B], summed over the same states or nodes."""
        log_mass_q = q.log_prob(self.z[:, None, :]) + self.log_cell  # [K, B]
        return _expected_log_ratio(log_mass_q, self.log_mass)

    def reverse_kl(self, q: td.Distribution) -> Tensor:
        """KL(p(z|x) || q) in nats, [B], for a q of batch shape [B], summed over the same states or nodes."""
        log_mass_q = q.log_prob(self.z[:, None, :]) + self.log_cell  # [K, B]
        return _expected_log_ratio(self.log_mass, log_mass_q)


def _expected_log_ratio(log_mass: Tensor, other: Tensor) -> Tensor:
    """The KL of one table from another, [B], in nats; where the first has no mass it adds nothing."""
    mass = log_mass.exp()
    return torch.where(mass > 0, mass * (log_mass - other), 0.0).sum(0)
