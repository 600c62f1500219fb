"""A posterior written out as a table: the states or nodes of z with the probability of each, for every datum."""

from __future__ import annotations

from typing import NamedTuple

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
        """E[f(z)] under p(z|x), [B, ...], for values f(z) of shape [K, ...] (or [K, B] for a scalar f of z and x)."""
        if values.shape == self.log_mass.shape:
            return (self.log_mass.exp() * values).sum(0)
        return (self.log_mass.exp().T @ values.flatten(1)).reshape(-1, *values.shape[1:])

    def kl(self, q: td.Distribution) -> Tensor:
        """KL(q || p(z|x)) in nats, [B], for a q of batch shape [B], summed over the same states or nodes."""
        log_mass_q = q.log_prob(self.z[:, None, :]) + self.log_cell  # [K, B]
        return (log_mass_q.exp() * (log_mass_q - self.log_mass)).sum(0)

    def reverse_kl(self, q: td.Distribution) -> Tensor:
        """KL(p(z|x) || q) in nats, [B], for a q of batch shape [B], summed over the same states or nodes."""
        log_mass_q = q.log_prob(self.z[:, None, :]) + self.log_cell  # [K, B]
        return (self.log_mass.exp() * (self.log_mass - log_mass_q)).sum(0)
