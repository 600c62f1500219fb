"""Conditional distributions: what fills a model's slots, and the two operations on them that need care."""

from __future__ import annotations

import copy
import weakref
from abc import ABC, abstractmethod
from typing import Any

import torch
import torch.distributions as td
from torch import Tensor, nn


class Conditional(nn.Module, ABC):
    r"""A conditional distribution :math:`p(\cdot \mid c)`: the only base class of the three slots.

    Calling it with a context gives a ``torch.distributions.Distribution`` whose event is the whole variable, so that
    its ``log_prob`` is already summed over pixels or latents.

    Example:
        >>> import torch
        >>> from vaecourse.priors import StandardNormal
        >>> StandardNormal(3)().log_prob(torch.zeros(5, 3)).shape
        torch.Size([5])
    """

    @abstractmethod
    def forward(self, c: Tensor | None = None) -> td.Distribution:
        """The distribution given context ``c`` of shape [..., C], or without one for a prior."""


class Given(Conditional):
    """A conditional that reads its context through a network, which other slots may share.

    Args:
        net: maps the context [..., C] to the features [..., H] that ``conditional`` is conditioned on.
        conditional: the conditional distribution given those features.
    """

    def __init__(self, net: nn.Module, conditional: Conditional):
        super().__init__()
        self.net = net
        self.conditional = conditional

    def forward(self, c: Tensor | None = None) -> td.Distribution:
        """The inner conditional at the features of ``c``."""
        return self.conditional(self.net(c))


def full_precision(outputs: Tensor) -> Tensor:
    """A network's outputs, as parameters of a distribution, in float32 at least.

    Under autocast networks compute in bfloat16, whose three digits are too few for a density.
    """
    return outputs.float() if outputs.dtype in (torch.bfloat16, torch.float16) else outputs


def rsample_and_log_prob(distribution: td.Distribution, shape: tuple[int, ...] = ()) -> tuple[Tensor, Tensor]:
    """Reparameterised samples with their own log-density, in one call.

    A distribution that knows the density of its own samples more cheaply than that of a foreign point (an inverse
    autoregressive flow) offers a method of this name, and it is used.

    Args:
        distribution: what to sample, with batch shape [B] and event shape [L].
        shape: how many samples, e.g. ``(S,)``.

    Returns:
        ``z`` of shape [S, B, L] and ``log q(z)`` of shape [S, B], in nats.

    Raises:
        NotImplementedError: the distribution has no reparameterised sampler.
    """
    if hasattr(distribution, "rsample_and_log_prob"):
        return distribution.rsample_and_log_prob(shape)
    z = distribution.rsample(torch.Size(shape))
    return z, distribution.log_prob(z)


def frozen(distribution: td.Distribution) -> td.Distribution:
    """The same distribution with its parameters held constant: gradients reach it through its argument only.

    It is made from the *live* distribution, not by calling the network again, so that whatever was random in the call
    (dropout) is kept. Tensors are detached and modules inside it become copies with constant parameters; nothing of the
    original is touched.

    Example:
        >>> import torch, torch.distributions as td
        >>> loc = torch.zeros(2, requires_grad=True)
        >>> frozen(td.Normal(loc, 1.0)).loc.requires_grad
        False
    """
    return _freeze(distribution, {})


def _freeze(value: Any, seen: dict[int, Any]) -> Any:
    if id(value) in seen:  # shared tensors and modules stay shared, cycles end
        return seen[id(value)]
    if isinstance(value, Tensor):
        result = seen[id(value)] = value.detach()
    elif isinstance(value, (td.Distribution, td.Transform, nn.Module)):
        result = seen[id(value)] = copy.copy(value)
        result.__dict__ = {name: _freeze(part, seen) for name, part in value.__dict__.items()}
    elif isinstance(value, tuple) and hasattr(value, "_fields"):
        result = type(value)(*(_freeze(part, seen) for part in value))
    elif isinstance(value, (list, tuple)):
        result = type(value)(_freeze(part, seen) for part in value)
    elif isinstance(value, dict):
        result = type(value)((name, _freeze(part, seen)) for name, part in value.items())
    elif isinstance(value, weakref.ref):  # a transform's own inverse: forgotten, or it would lead back to live tensors
        result = None
    else:
        result = value
    seen[id(value)] = result
    return result


@td.register_kl(td.MultivariateNormal, td.Independent)
def _kl_multivariate_normal_independent(q: td.MultivariateNormal, p: td.Independent) -> Tensor:
    r"""KL(q || p) in nats of a full Gaussian from a diagonal one, which torch lacks; batch shapes broadcast."""
    base = _diagonal_gaussian(p)
    scale_tril = q.scale_tril / base.scale.unsqueeze(-1)  # both in units of p's scale
    distance = ((q.loc - base.loc) / base.scale).square().sum(-1)
    log_det = scale_tril.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    return 0.5 * (scale_tril.square().sum((-2, -1)) + distance - q.event_shape[0]) - log_det


@td.register_kl(td.Independent, td.MultivariateNormal)
def _kl_independent_multivariate_normal(q: td.Independent, p: td.MultivariateNormal) -> Tensor:
    """KL(q || p) in nats of a diagonal Gaussian from a full one."""
    base = _diagonal_gaussian(q)
    return td.kl_divergence(td.MultivariateNormal(base.loc, scale_tril=base.scale.diag_embed()), p)


def _diagonal_gaussian(distribution: td.Independent) -> td.Normal:
    if isinstance(distribution.base_dist, td.Normal) and distribution.reinterpreted_batch_ndims == 1:
        return distribution.base_dist
    raise NotImplementedError(f"no closed form for the KL between a Gaussian and {distribution}")
