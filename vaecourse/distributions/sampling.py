"""The operations on a distribution that need care: sampling it with its density, and holding it constant."""

from __future__ import annotations

import copy
import weakref
from typing import Any

import torch
import torch.distributions as td
from torch import Tensor, nn


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
