"""Reparameterised estimators: the gradient goes through the samples, z = g(eps, x)."""

from __future__ import annotations

from collections.abc import Callable

import torch.distributions as td
from torch import Tensor

from vaecourse.distributions import frozen
from vaecourse.model import Draw, LatentVariableModel
from vaecourse.objectives import elbo


def pathwise(
    model: LatentVariableModel,
    x: Tensor,
    num_samples: int = 1,
    objective: Callable[[Draw], Tensor] = elbo,
    chunk_size: int | None = None,
) -> Tensor:
    """The reparameterised estimator: the gradient goes through the samples.

    Args:
        model: a model whose q(z|x) can be reparameterised.
        x: data of shape [B, D].
        num_samples: number S of samples per datum.
        objective: a function of a draw, such as ``iwae``.
        chunk_size: how many (sample, datum) pairs are decoded at once, None for all; see
            :meth:`~vaecourse.model.LatentVariableModel.log_likelihood`.

    Returns:
        The objective, [B], in nats.

    References:
        Kingma & Welling (2014), section 2.4; Rezende, Mohamed & Wierstra (2014), section 3.
    """
    q = _checked(model.posterior(x), num_samples, "pathwise")
    return objective(model.draw(x, num_samples, q=q, chunk_size=chunk_size))


def analytic_kl(model: LatentVariableModel, x: Tensor, num_samples: int = 1, chunk_size: int | None = None) -> Tensor:
    """The bound with its KL in closed form: only the reconstruction term is sampled.

    Args:
        model: a model whose KL(q(z|x) || p(z)) torch knows.
        x: data of shape [B, D].
        num_samples: number S of samples per datum.
        chunk_size: how many (sample, datum) pairs are decoded at once, None for all.

    Returns:
        The evidence lower bound, [B], in nats.

    References:
        Kingma & Welling (2014), equation 7.
    """
    q = _checked(model.posterior(x), num_samples, "analytic_kl")
    z = q.rsample((num_samples,))  # [S, B, L]
    return model.log_likelihood(x, z, chunk_size).mean(0) - td.kl_divergence(q, model.prior())


def stl(model: LatentVariableModel, x: Tensor, num_samples: int = 1, chunk_size: int | None = None) -> Tensor:
    """Sticking the landing: the score term of log q, whose expectation is zero, is left out of the gradient.

    At the exact posterior every sample's gradient with respect to q is then exactly zero.

    Args:
        model: a model whose q(z|x) can be reparameterised.
        x: data of shape [B, D].
        num_samples: number S of samples per datum.
        chunk_size: how many (sample, datum) pairs are decoded at once, None for all.

    Returns:
        The evidence lower bound, [B], in nats.

    References:
        Roeder, Wu & Duvenaud (2017).
    """
    q = _checked(model.posterior(x), num_samples, "stl")
    z = q.rsample((num_samples,))  # its live log q is not wanted
    return elbo(model.score(x, z, frozen(q).log_prob(z), chunk_size))


def _checked(q: td.Distribution, num_samples: int, estimator: str) -> td.Distribution:
    if num_samples < 1:
        raise ValueError(f"num_samples must be at least 1, and is {num_samples}")
    if not q.has_rsample:
        raise ValueError(
            f"{estimator} needs a q(z|x) that can be reparameterised, and {type(q).__name__} cannot: "
            "its gradient would silently leave out how q's parameters move the samples"
        )
    return q
