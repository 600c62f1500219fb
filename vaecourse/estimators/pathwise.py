"""Reparameterised estimators: the gradient goes through the samples, z = g(eps, x)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch.distributions as td
from torch import Tensor

from vaecourse.distributions import full_precision_arithmetic, has_jumps
from vaecourse.model import LatentVariableModel, check_num_samples
from vaecourse.objectives import elbo


def pathwise(
    model: LatentVariableModel,
    x: Tensor,
    num_samples: int = 1,
    objective: Callable[..., Tensor] = elbo,
    **options: Any,
) -> Tensor:
    """The reparameterised estimator: the gradient goes through the samples.

    Args:
        model: a model whose q(z|x) can be reparameterised.
        x: data of shape [B, D].
        num_samples: number S of samples per datum.
        objective: a function of a draw, such as ``iwae``.
        options: handed on to the objective, such as ``beta`` for ``beta_elbo``.

    Returns:
        The objective, [B], in nats.

    References:
        Kingma & Welling (2014), section 2.4; Rezende, Mohamed & Wierstra (2014), section 3.
    """
    q, pz = smooth_q_and_prior(model, x, num_samples, "pathwise")
    return objective(model.draw(x, num_samples, q=q, pz=pz), **options)


def analytic_kl(model: LatentVariableModel, x: Tensor, num_samples: int = 1, beta: float | Tensor = 1.0) -> Tensor:
    """The bound with its KL in closed form: only the reconstruction term is sampled.

    Args:
        model: a model whose KL(q(z|x) || p(z)) torch knows.
        x: data of shape [B, D].
        num_samples: number S of samples per datum.
        beta: weight of the KL, as in :func:`~vaecourse.objectives.beta_elbo`.

    Returns:
        The evidence lower bound, where beta is 1, [B], in nats.

    References:
        Kingma & Welling (2014), equation 7.
    """
    q, pz = reparameterised_q(model, x, num_samples, "analytic_kl"), model.prior()
    with full_precision_arithmetic(q, pz):
        z = q.rsample((num_samples,))  # [S, B, L]
        kl = td.kl_divergence(q, pz)
    return model.log_likelihood(x, z).mean(0) - beta * kl


def stl(
    model: LatentVariableModel,
    x: Tensor,
    num_samples: int = 1,
    objective: Callable[..., Tensor] = elbo,
    **options: Any,
) -> Tensor:
    """Sticking the landing: the score term of log q, whose expectation is zero, is left out of the gradient.

    At the exact posterior every sample's gradient with respect to q is then exactly zero.

    Args:
        model: a model whose q(z|x) can be reparameterised.
        x: data of shape [B, D].
        num_samples: number S of samples per datum.
        objective: ``elbo`` or another function that is linear in the log-weights. (Of ``iwae`` the term that is left
            out has another expectation than zero: :func:`dreg` is its unbiased kin.)
        options: handed on to the objective.

    Returns:
        The objective, [B], in nats.

    References:
        Roeder, Wu & Duvenaud (2017).
    """
    q, pz = smooth_q_and_prior(model, x, num_samples, "stl")
    return objective(model.draw(x, num_samples, q=q, through="sample", pz=pz), **options)


def reparameterised_q(model: LatentVariableModel, x: Tensor, num_samples: int, estimator: str) -> td.Distribution:
    """q(z|x), if its samples can carry a gradient."""
    check_num_samples(num_samples)
    q = model.qz_x(x)
    if not q.has_rsample:
        raise ValueError(
            f"{estimator} needs a q(z|x) that can be reparameterised, and {type(q).__name__} cannot: "
            "its gradient would silently leave out how q's parameters move the samples"
        )
    base = q.base_dist if isinstance(q, td.Independent) else q
    if isinstance(base, td.OneHotCategoricalStraightThrough):
        raise ValueError(
            f"{estimator} needs a q(z|x) whose samples move with its parameters, and those of {type(base).__name__} "
            "jump: its gradient is biased, for which there is the estimator straight_through"
        )
    return q


def smooth_q_and_prior(
    model: LatentVariableModel, x: Tensor, num_samples: int, estimator: str
) -> tuple[td.Distribution, td.Distribution]:
    """q(z|x) and p(z), if the derivative of their densities along a sample is all that there is to differentiate."""
    q, pz = reparameterised_q(model, x, num_samples, estimator), model.prior()
    for name, distribution in (("q(z|x)", q), ("p(z)", pz)):
        if has_jumps(distribution):
            raise ValueError(
                f"{estimator} needs densities without jumps, and {name}, {type(distribution).__name__}, has some: "
                "a gradient along the samples does not see them; use analytic_kl"
            )
    return q, pz
