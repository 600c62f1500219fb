"""Rung (a): a finite discrete latent, whose every state is visited."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.distributions as td
from torch import Tensor, nn

from vaecourse import distributions
from vaecourse.exact.table import Table
from vaecourse.likelihoods import Bernoulli
from vaecourse.model import Draw, LatentVariableModel
from vaecourse.objectives import elbo
from vaecourse.priors import Categorical


def states(prior: td.Distribution) -> Tensor:
    """All states of z, [K, L], as :func:`vaecourse.distributions.states` lists them."""
    z = distributions.states(prior)
    if z is None:
        raise ValueError(
            f"enumeration needs a prior with finitely many states, OneHotCategorical or Independent(Bernoulli, 1), "
            f"and got {prior}"
        )
    return z


def enumeration(model: LatentVariableModel, x: Tensor) -> Table:
    r"""log p(x) = log sum_z p(x, z) and the posterior, by visiting every state of z.

    Args:
        model: its prior is a ``OneHotCategorical`` or an ``Independent(Bernoulli, 1)``.
        x: data of shape [B, D].

    Returns:
        The :class:`Table` of the posterior, with log p(x) in nats. Exact up to float rounding.

    Example:
        >>> model = two_state()
        >>> table = enumeration(model, torch.ones(1, 1))
        >>> [round(p, 4) for p in table.log_mass.exp().flatten().tolist()], round(table.log_px.exp().item(), 4)
        ([0.75, 0.25], 0.4)
    """
    z = states(model.prior())  # [K, L]
    log_joint = model.log_joint(x, z[:, None, :])  # [K, B]
    log_px = log_joint.logsumexp(0)
    return Table(z, log_joint - log_px, log_px, 0.0)


def enumerated_bound(
    model: LatentVariableModel, x: Tensor, objective: Callable[[Draw], Tensor] = elbo, num_samples: int = 1
) -> Tensor:
    r"""The expectation of a bound over every possible draw, and by autograd the exact gradient of that expectation.

    .. math:: \sum_{z_1, \dots, z_S} q(z_1|x) \cdots q(z_S|x)\; F(z_1, \dots, z_S)

    Args:
        model: its prior has K states; its q(z|x) is over the same ones.
        x: data of shape [B, D].
        objective: F, a function of a draw.
        num_samples: number S of samples of a draw; the bound ``elbo`` does not depend on it.

    Returns:
        The expectation, [B], in nats; K^S tuples are visited.

    Raises:
        ValueError: there are more than a million tuples.

    Example:
        >>> round(enumerated_bound(two_state(), torch.ones(1, 1).double()).item(), 6)
        -1.060132
    """
    z = states(model.prior())  # [K, L]
    if len(z) ** num_samples > 1_000_000:
        raise ValueError(
            f"num_samples = {num_samples} draws from {len(z)} states make too many tuples: at most 1,000,000"
        )
    z = z[:, None, :].expand(-1, len(x), -1)  # [K, B, L]
    draw = model.score(x, z, model.posterior(x).log_prob(z))
    tuples = torch.cartesian_prod(*[torch.arange(len(z), device=x.device)] * num_samples).reshape(-1, num_samples).T
    size = tuples.shape[1], len(x)
    of_tuples = Draw(*(part[tuples].reshape(num_samples, -1, *part.shape[2:]) for part in draw))  # batch [K^S * B]
    mass = of_tuples.log_qz_x.sum(0).exp().reshape(size)
    values = objective(of_tuples).reshape(size)
    return torch.where(mass > 0, mass * values, 0.0).sum(0)


def two_state(q: tuple[float, float] = (0.5, 0.5), dtype: torch.dtype = torch.float64) -> LatentVariableModel:
    r"""The two-state model in which everything is a fraction: p(x=1, z) = (0.3, 0.1).

    The prior is uniform and p(x=1|z) = (0.6, 0.2), so p(x=1) = 0.4 and p(z|x=1) = (3/4, 1/4).

    Args:
        q: the approximate posterior's two probabilities, the same for every x.
        dtype: of all parameters.

    Returns:
        A model of a single binary x, shape [B, 1], with a one-hot z, shape [S, B, 2].
    """
    decoder = nn.Linear(2, 1, bias=False, dtype=dtype)
    with torch.no_grad():
        decoder.weight.copy_(torch.tensor([[0.6, 0.2]], dtype=dtype).logit())
    return LatentVariableModel(
        Categorical(torch.tensor([0.5, 0.5], dtype=dtype).log()),
        Bernoulli(decoder),
        Categorical(torch.tensor(q, dtype=dtype).log()),
    )
