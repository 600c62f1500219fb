"""The refusal of data that a likelihood gives no density."""

from __future__ import annotations

import torch
import torch.distributions as td
from torch import Tensor


def check_support(px_z: td.Distribution, x: Tensor) -> None:
    """Refuse data that the likelihood gives no density: nats of such a pair mean nothing.

    Every datum given is looked at, and every pixel of it; the message names the first value that lies outside.

    Args:
        px_z: the likelihood at some z, of batch shape [1] or [].
        x: data [B, D] as they will be scored, of any dtype.

    Raises:
        ValueError: x has no batch axis or another number of dimensions, or a value of it lies outside the support, is
            infinite or not a number.

    Example:
        >>> import torch
        >>> from vaecourse.likelihoods import Bernoulli
        >>> px_z = Bernoulli(torch.nn.Identity())(torch.zeros(1, 3))
        >>> check_support(px_z, torch.tensor([[0.0, 1.0, 1.0], [1.0, 0.0, 0.7]]))
        Traceback (most recent call last):
        ValueError: x must lie in the support of the likelihood, Bernoulli on 0 and 1, and has values such as 0.7: ...
    """
    if x.ndim < 2:
        raise ValueError(f"x must be [B, D] with a batch axis, x[None] for one datum; got {list(x.shape)}")
    if px_z.event_shape != x.shape[-1:]:
        scored = px_z.event_shape[0] if len(px_z.event_shape) == 1 else list(px_z.event_shape)
        raise ValueError(f"x has {x.shape[-1]} dimensions, and the likelihood scores {scored}")
    base = px_z.base_dist if isinstance(px_z, td.Independent) else px_z
    support = _of_one_value(px_z.support)
    for part in x.reshape(-1, x.shape[-1]).split(8192):  # the masks of a whole data set would be as large as it is
        inside = support.check(part)  # [b, D], or [b] where the support is not that of each value
        if support.event_dim == 0 and bool((inside & part.isfinite()).all()):
            continue
        if support.event_dim > 0 and bool(inside.all() and part.isfinite().all()):
            continue
        raise ValueError(
            f"x must lie in the support of the likelihood, {type(base).__name__} on {_in_words(support)}, and has "
            f"values such as {_first_outside(support, inside, part)}: choose the data's protocol and the likelihood "
            f"together"
        )


def _of_one_value(support: td.constraints.Constraint) -> td.constraints.Constraint:
    """The support of each value, for all but the constraints that tie the values of a datum to each other."""
    while hasattr(support, "base_constraint"):  # of independent values, and of a mixture's components
        support = support.base_constraint
    return support


def _first_outside(support: td.constraints.Constraint, inside: Tensor, x: Tensor) -> str:
    if support.event_dim == 0:
        return f"{x[~(inside & x.isfinite())][0]:.4g}"
    if not x.isfinite().all():
        return f"{x[~x.isfinite()][0]:.4g}"
    values = ", ".join(f"{value:.4g}" for value in x[~inside][0, :8].tolist())
    return f"({values}{', ...' if x.shape[-1] > 8 else ''})"


def _in_words(support: td.constraints.Constraint) -> str:
    name = type(support).__name__.strip("_")
    name = {"Boolean": "0 and 1", "IntegerInterval": "the integers", "Interval": "the interval"}.get(name, name)
    if not hasattr(support, "upper_bound"):
        return name
    low, high = (torch.as_tensor(bound).max().item() for bound in (support.lower_bound, support.upper_bound))
    return f"{name} {low:g}..{high:g}"
