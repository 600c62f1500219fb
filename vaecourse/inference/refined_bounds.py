"""Bounds that train a model with a refined posterior: what the decoder climbs, what the encoder, what the update."""

from __future__ import annotations

from typing import Literal

import torch
import torch.distributions as td
from torch import Tensor

from vaecourse.distributions import frozen_module
from vaecourse.estimators.surrogate import with_gradient_of
from vaecourse.inference.refined import Refined, bound_at
from vaecourse.model import LatentVariableModel


def svi_from_encoder(
    model: LatentVariableModel, x: Tensor, num_samples: int = 1, aim: Literal["bound", "refined"] = "bound"
) -> Tensor:
    r"""The decoder learns at the refined q, the encoder at its own.

    .. math:: \nabla_\theta \mathcal L(x; \theta, \lambda_T), \qquad \nabla_\phi \mathcal L(x; \theta, e_\phi(x))
              \quad \text{or} \quad -\nabla_\phi \mathrm{KL}\big(q(z; e_\phi(x)) \,\|\, q(z; \lambda_T)\big)

    with the other side held constant in each.

    Args:
        model: whose posterior is a :class:`~vaecourse.inference.Refined` with ``through="nothing"``.
        x: data of shape [B, D].
        num_samples: samples per datum for each of the two bounds, beside those of the refinement.
        aim: what the encoder climbs: its own "bound", or the way to the "refined" q, in KL.

    Returns:
        The bound at the refined q, [B], in nats.

    References:
        Krishnan, Liang & Hoffman (2018) for "bound"; Kim et al. (2018), the baseline VAE+SVI+KL, for "refined".
    """
    posterior = _refined(model, "svi_from_encoder", "nothing")
    if aim not in ("bound", "refined"):
        raise ValueError(f'aim must be "bound" or "refined", and is {aim!r}')
    start, *_, end = _at_least_two(posterior.parameters_along(x))
    still_family = frozen_module(posterior.family)
    bound = bound_at(end, still_family, model, x, num_samples)  # moves the decoder alone
    if not torch.is_grad_enabled():
        return bound
    if aim == "bound":
        still = LatentVariableModel(frozen_module(model.prior), frozen_module(model.likelihood), None, model.chunk_size)
        own = bound_at(start, posterior.family, still, x, num_samples)
    else:
        own = -td.kl_divergence(posterior.family(start), still_family(end))
    return with_gradient_of(bound, bound + own)


def every_step(model: LatentVariableModel, x: Tensor, num_samples: int = 1) -> Tensor:
    r"""The bound at the last q, with the gradient of the mean over all steps, :math:`\frac1T \sum_t \mathcal L_t`.

    A learned update that is judged by its last step alone learns to arrive; judged by every step it learns to climb.

    Args:
        model: whose posterior is a :class:`~vaecourse.inference.Refined` with ``through="path"`` or "steps".
        x: data of shape [B, D].
        num_samples: samples per datum for each of the T bounds, beside those of the refinement.

    Returns:
        The bound at the refined q, [B], in nats.

    References:
        Marino, Yue & Mandt (2018), section 4.
    """
    posterior = _refined(model, "every_step", "path", "steps")
    _, *steps = _at_least_two(posterior.parameters_along(x))
    if not torch.is_grad_enabled():
        steps = steps[-1:]
    bounds = torch.stack([bound_at(at, posterior.family, model, x, num_samples) for at in steps])
    return with_gradient_of(bounds[-1], bounds.mean(0))


def _refined(model: LatentVariableModel, name: str, *routes: str) -> Refined:
    """The model's posterior, if it refines under this very model and lets gradients through as the bound expects."""
    posterior = model.posterior
    if not isinstance(posterior, Refined):
        raise ValueError(f"{name} needs a posterior of type Refined, and the model's is {type(posterior).__name__}")
    if posterior.joint.likelihood is not model.likelihood or posterior.joint.prior is not model.prior:
        raise ValueError(f"{name} needs a posterior that refines under the model's own prior and likelihood")
    if posterior.through not in routes:
        wanted = " or ".join(f'"{route}"' for route in routes)
        raise ValueError(f'{name} needs a posterior with through = {wanted}, and it is "{posterior.through}"')
    return posterior


def _at_least_two(path: list[Tensor]) -> list[Tensor]:
    if len(path) < 2:
        raise ValueError("num_steps of the posterior must be at least 1 for a bound of refined q's, and is 0")
    return path
