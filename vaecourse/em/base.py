"""The EM algorithm: coordinate ascent on L(q, theta), for any model that can do its two steps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
import torch.distributions as td
from torch import Tensor, nn

from vaecourse.distributions import Conditional


class Trace(NamedTuple):
    """What a fit went through: totals over the data, in nats, with T steps taken.

    For every step t, ``log_likelihood[t] <= bound[t] <= log_likelihood[t + 1]``.
    """

    log_likelihood: Tensor  # [T + 1], sum_n log p(x_n) at the parameters before each step and after the last
    bound: Tensor  # [T], sum_n L(q_n, theta) after each M step, q still the posterior of the old parameters
    converged: bool  # whether the last step gained less than the tolerance


class EMModel(nn.Module, ABC):
    r"""A model with an exact E step and an exact M step.

    .. math:: \mathcal L(q, \theta) = \sum_n E_{q_n(z)} \log p_\theta(x_n, z) + H(q_n)

    The E step maximises it over q (which gives the posterior), the M step over theta. The three slots are
    those of :class:`~vaecourse.model.LatentVariableModel`. Because the third is exact, every log-weight of
    ``LatentVariableModel(m.prior, m.likelihood, m.posterior).draw(x)`` equals log p(x).

    References:
        Dempster, Laird & Rubin (1977); Neal & Hinton (1998), section 2, for EM as coordinate ascent.
    """

    prior: Conditional
    likelihood: Conditional
    posterior: Conditional

    @abstractmethod
    def m_step(self, x: Tensor, q: td.Distribution) -> None:
        """Set theta to the maximiser of L(q, theta), for data x [N, D] and a q of batch shape [N]."""

    @abstractmethod
    def expected_log_joint(self, x: Tensor, q: td.Distribution) -> Tensor:
        """E_q log p(x, z) in closed form, [N], in nats."""

    @abstractmethod
    def log_likelihood(self, x: Tensor) -> Tensor:
        """log p(x), [N], in nats, with z summed or integrated out."""

    @torch.no_grad()
    def e_step(self, x: Tensor) -> td.Distribution:
        """Maximiser of L(q, theta) over q: the posterior of each datum, batch shape [N], held constant."""
        self.check(x)
        return self.posterior(x)

    @abstractmethod
    def check(self, x: Tensor) -> None:
        """Refuse data that the likelihood cannot score, in one sentence."""

    def bound(self, x: Tensor, q: td.Distribution) -> Tensor:
        """L(q, theta) = E_q log p(x, z) + H(q) of each datum, [N], in nats."""
        return self.expected_log_joint(x, q) + q.entropy()

    @torch.no_grad()
    def fit(self, x: Tensor, num_steps: int = 100, tolerance: float = 1e-6) -> Trace:
        """Alternate E and M steps from the present parameters.

        Args:
            x: data [N, D].
            num_steps: the most EM steps to take.
            tolerance: stop once a step raises the total log-likelihood by less than this many nats.

        Returns:
            The trace, in total nats.
        """
        q = self.e_step(x)
        log_likelihood, bound = [self.bound(x, q).sum()], []  # after an E step the bound is the likelihood
        converged = False
        while len(bound) < num_steps and not converged:
            self.m_step(x, q)
            bound.append(self.bound(x, q).sum())
            q = self.e_step(x)
            log_likelihood.append(self.bound(x, q).sum())
            converged = bool(log_likelihood[-1] - log_likelihood[-2] < tolerance)
        return Trace(torch.stack(log_likelihood), torch.stack(bound) if bound else x.new_empty(0), converged)


def check_data(x: Tensor, num_dimensions: int, dtype: torch.dtype) -> None:
    """Refuse data that a model of D dimensions cannot score.

    Raises:
        ValueError: x is not [N, D] with N >= 1, has another dtype, or holds a value that is not finite.
    """
    if x.ndim != 2 or x.shape[1] != num_dimensions or len(x) == 0:
        raise ValueError(f"x must have shape [N, {num_dimensions}] with N >= 1; got {list(x.shape)}")
    if x.dtype != dtype:
        raise ValueError(f"x must have the parameters' dtype, {dtype}; got {x.dtype}")
    if not torch.stack(x.aminmax()).isfinite().all():  # one pass, for every step checks its data
        raise ValueError(f"x must be finite; {int((~x.isfinite()).sum())} of its values are not")
