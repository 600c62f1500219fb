"""The EM algorithm: coordinate ascent on L(q, theta), for any model that can do its two steps."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
import torch.distributions as td
from torch import Tensor, nn

from vaecourse.distributions import Conditional

# What rounding may take from a log-likelihood, as a share of the sum of its terms' sizes. It is half a million times
# float64's, for a triangular solve loses as many digits as the root of the covariance's condition number has.
ROUNDING = 1e-10

MAX_ABSOLUTE = 1e100  # of a datum: its square times any number of data is far within float64


class Trace(NamedTuple):
    """What a fit went through: totals over the data, in nats, with T steps taken.

    For every step t, ``log_likelihood[t] <= bound[t] <= log_likelihood[t + 1]``.
    """

    log_likelihood: Tensor  # [T + 1], sum_n log p(x_n) at the parameters before each step and after the last
    bound: Tensor  # [T], sum_n L(q_n, theta) after each M step, q still the posterior of the old parameters
    converged: bool  # whether the last step gained less than the tolerance, and lost no more than rounding takes


class EMModel(nn.Module, ABC):
    r"""A model with an exact E step and an exact M step.

    .. math:: \mathcal L(q, \theta) = \sum_n E_{q_n(z)} \log p_\theta(x_n, z) + H(q_n)

    The E step maximises it over q (which gives the posterior), the M step over theta. The three slots are
    those of :class:`~vaecourse.model.LatentVariableModel`. Because the third is exact, every log-weight of
    ``LatentVariableModel(m.prior, m.likelihood, m.posterior).draw(x)`` equals log p(x).

    Whatever floats come in, parameters, moments and nats are float64. An M step subtracts means from data and squares
    from squares; in float32 that loses hundreds of nats on data whose columns differ by a thousand in scale, or whose
    mean is a thousand times their spread.

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
        return self.posterior(self.check(x))

    @abstractmethod
    def check(self, x: Tensor) -> Tensor:
        """The data x [N, D] in float64; those that the likelihood cannot score are refused in one sentence."""

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

        Raises:
            ValueError: the likelihood cannot score x.

        Warns:
            RuntimeWarning: a step lowered the log-likelihood by more than rounding does. No exact step can: the fit
                stops there, and has not converged.
        """
        x = self.check(x)
        q = self.e_step(x)
        terms = self.bound(x, q)  # after an E step the bound is the likelihood
        log_likelihood, bound = [terms.sum()], []
        converged = False
        while len(bound) < num_steps and not converged:
            self.m_step(x, q)
            bound.append(self.bound(x, q).sum())
            q = self.e_step(x)
            terms = self.bound(x, q)
            log_likelihood.append(terms.sum())
            gain = log_likelihood[-1] - log_likelihood[-2]
            if not gain >= -ROUNDING * terms.abs().sum():  # also where it is not a number
                warnings.warn(
                    f"EM has not converged: step {len(bound)} changed the log-likelihood by {gain:.4g} nats, a fall "
                    f"that rounding does not explain, and the fit stopped there",
                    RuntimeWarning,
                    stacklevel=2,
                )
                break
            converged = bool(gain < tolerance)
        return Trace(torch.stack(log_likelihood), torch.stack(bound) if bound else x.new_empty(0), converged)


def check_data(x: Tensor, num_dimensions: int | None = None, parameter: Tensor | None = None) -> Tensor:
    """Data [N, D] in float64, or one sentence that says why they are none.

    Args:
        x: the data.
        num_dimensions: D; None for any.
        parameter: one of the model's, which must be float64 too.

    Raises:
        ValueError: x is no dense tensor, is not [N, D] with N and D at least 1, holds no floats, or a value that is
            not finite or whose square is not; or the parameter is of another dtype.
    """
    if not isinstance(x, Tensor) or x.layout != torch.strided:
        kind = f"one of layout {x.layout}" if isinstance(x, Tensor) else f"an object of type {type(x).__name__}"
        raise ValueError(
            f"x must be a dense tensor [N, {num_dimensions or 'D'}], such as torch.as_tensor makes; got {kind}"
        )
    if x.ndim != 2 or x.shape[1] != (num_dimensions or x.shape[1]) or x.numel() == 0:
        raise ValueError(f"x must have shape [N, {num_dimensions or 'D'}] with N >= 1; got {list(x.shape)}")
    if not x.is_floating_point():
        raise ValueError(f"x must hold floats; got {x.dtype}, of which x.double() makes some")
    largest = torch.stack(x.aminmax()).double().abs().max()  # one pass, for every step checks its data
    if not largest.isfinite():
        raise ValueError(f"x must be finite; {int((~x.isfinite()).sum())} of its values are not")
    if largest > MAX_ABSOLUTE:
        raise ValueError(f"x must lie within +-{MAX_ABSOLUTE:g}, for EM adds up squares; its largest is {largest:.4g}")
    if parameter is not None and parameter.dtype != torch.float64:
        raise ValueError(f"the model's parameters must be torch.float64, as made; got {parameter.dtype}")
    return x.double()
