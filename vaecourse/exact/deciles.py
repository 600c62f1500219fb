"""How far off the probabilities are that somebody's draws, or somebody's q, give to known events."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.distributions as td
from torch import Tensor

from vaecourse.exact.table import Table


class Deciles(NamedTuple):
    r"""The events :math:`z_l \le t` at nine thresholds t of each latent, near its deciles, with their probabilities."""

    threshold: Tensor  # [9, L]
    probability: Tensor  # [9, L], exact

    @classmethod
    def of(cls, table: Table) -> Deciles:
        """The deciles of one posterior from its table on a regular grid, as :func:`quadrature` gives it.

        Thresholds lie halfway between nodes, where the trapezoid rule knows a probability to the square of the spacing.

        Args:
            table: of one datum, z of one or two dimensions.

        Raises:
            ValueError: the table is of more than one datum.
        """
        if table.log_mass.shape[1] != 1:
            raise ValueError(f"table must be of one datum, and is of {table.log_mass.shape[1]}")
        dim = table.z.shape[1]
        side = round(len(table.z) ** (1 / dim))
        mass = table.log_mass[:, 0].exp().reshape([side] * dim)
        axis = table.z.reshape(*[side] * dim, dim)[tuple(range(side) for _ in range(dim))]  # [side, L], the diagonal
        marginals = [mass.sum([d for d in range(dim) if d != k]) if dim > 1 else mass for k in range(dim)]
        cumulative = torch.stack(marginals, -1).cumsum(0)  # [side, L]
        tenths = torch.arange(1, 10, dtype=mass.dtype, device=mass.device) / 10
        nearest = (cumulative[:, None] - tenths[:, None]).abs().argmin(0)  # [9, L]
        return cls((axis + (axis[1] - axis[0]) / 2).gather(0, nearest), cumulative.gather(0, nearest))

    @property
    def variance(self) -> float:
        """Mean of p (1 - p) over the events: n independent exact draws have this over n as their squared error."""
        return (self.probability * (1 - self.probability)).mean().item()

    def error_of_draws(self, draws: Tensor, log_weight: Tensor | None = None) -> Tensor:
        """Mean squared error over the events of the shares of draws that fall into them.

        Args:
            draws: [T, ..., L], T draws of every repetition.
            log_weight: [T, ...], logarithms of importance weights up to a constant; None where all draws count alike.

        Returns:
            [...], one number a repetition.
        """
        inside = (draws[..., None, :] <= self.threshold).to(self.probability)  # [T, ..., 9, L]
        if log_weight is None:
            share = inside.mean(0)
        else:
            share = (log_weight.softmax(0)[..., None, None] * inside).sum(0)
        return (share - self.probability).square().mean((-2, -1))

    def error_of_gaussian(self, q: td.Distribution) -> Tensor:
        """Mean squared error over the events, [B], of the probabilities that a Gaussian q, batch shape [B], gives."""
        marginal = td.Normal(q.mean[:, None], q.stddev[:, None])
        return (marginal.cdf(self.threshold) - self.probability).square().mean((-2, -1))
