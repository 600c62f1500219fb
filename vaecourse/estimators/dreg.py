"""DReG: the gradient of the importance-weighted bound without the score terms that drown the encoder's in noise."""

from __future__ import annotations

import torch
from torch import Tensor

from vaecourse.distributions import sample_and_log_prob
from vaecourse.estimators.pathwise import smooth_q_and_prior
from vaecourse.estimators.surrogate import with_gradient_of
from vaecourse.model import LatentVariableModel
from vaecourse.objectives import iwae


def dreg(model: LatentVariableModel, x: Tensor, num_samples: int = 1) -> Tensor:
    r"""The doubly reparameterised gradient of the importance-weighted bound.

    .. math:: \nabla_\phi = \sum_s \tilde w_s^2\, \frac{\partial \log w_s}{\partial z_s}
                            \frac{\partial z_s}{\partial\phi},
              \qquad \nabla_\theta = \sum_s \tilde w_s\, \nabla_\theta \log w_s,
              \qquad \tilde w_s = w_s / \sum_t w_t

    The score terms of log q are replaced by their reparameterised equals, so that the gradient stays unbiased. The
    weights are known only after the samples have been decoded, so they are decoded twice.

    Args:
        model: a model whose q(z|x) can be reparameterised.
        x: data of shape [B, D].
        num_samples: number k of samples per datum.

    Returns:
        The importance-weighted bound, [B], in nats.

    Raises:
        ValueError: q cannot be reparameterised, has jumps, or has a reverse model.

    References:
        Tucker, Lawson, Gu & Maddison (2019), section 4.
    """
    q, pz = smooth_q_and_prior(model, x, num_samples, "dreg")
    if getattr(q, "has_reverse", False):
        raise ValueError(
            f"dreg needs a q(z|x) whose density is its own, and {type(q).__name__} has a reverse model in it, whose "
            "gradient has another weight: use pathwise with objective=iwae"
        )
    z, log_qz_x = sample_and_log_prob(q, (num_samples,), "sample")
    with torch.no_grad():  # for the weights alone
        draw = model.score(x, z, log_qz_x, pz)
    weight = draw.log_w.detach().softmax(0)  # [S, B]
    again = model.score(x, _scaled(z, weight[..., None]), _scaled(log_qz_x, weight), pz)
    return with_gradient_of(iwae(draw), (weight * again.log_w).sum(0))


def _scaled(value: Tensor, factor: Tensor) -> Tensor:
    """The value as it is, with its gradient multiplied by a factor."""
    return value.detach() + factor * (value - value.detach())
