"""Rung (b): the linear-Gaussian model (probabilistic PCA), where every density is a Gaussian."""

from __future__ import annotations

import torch
import torch.distributions as td
from torch import Tensor, nn

from vaecourse.distributions import Conditional
from vaecourse.likelihoods import Gaussian
from vaecourse.model import LatentVariableModel
from vaecourse.priors import StandardNormal


class LinearGaussianPosterior(Conditional):
    r"""The exact posterior of a linear-Gaussian model, in closed form.

    .. math:: p(z|x) = \mathcal N\big(z;\; M^{-1} W^\top (x-b)/\sigma^2,\; M^{-1}\big), \qquad M = I + W^\top W/\sigma^2

    Args:
        likelihood: the model's own likelihood, whose parameters it reads at every call.
    """

    def __init__(self, likelihood: Gaussian):
        super().__init__()
        self.likelihood = likelihood

    def forward(self, c: Tensor | None = None) -> td.MultivariateNormal:
        """The distribution of z, event shape [L], given x of shape [..., D]."""
        weight, bias = self.likelihood.net.weight, self.likelihood.net.bias  # [D, L], [D]
        variance = (2 * self.likelihood.log_scale).exp()
        precision = torch.eye(weight.shape[1], dtype=weight.dtype, device=weight.device) + weight.T @ weight / variance
        loc = torch.linalg.solve(precision, ((c - bias) @ weight / variance).unsqueeze(-1)).squeeze(-1)
        return td.MultivariateNormal(loc, precision_matrix=precision, validate_args=False)


def linear_gaussian(weight: Tensor, bias: Tensor, scale: float) -> LatentVariableModel:
    r"""The linear-Gaussian model and its exact posterior.

    .. math:: z \sim \mathcal N(0, I), \qquad x|z \sim \mathcal N(Wz + b, \sigma^2 I)

    Args:
        weight: W of shape [D, L].
        bias: b of shape [D].
        scale: sigma, in the data's units.

    Returns:
        A model whose third slot is the true posterior, in the dtype of ``weight``.

    References:
        Tipping & Bishop (1999), equations 6 to 9.

    Example:
        >>> model = linear_gaussian(torch.ones(1, 1), torch.zeros(1), scale=1.0)
        >>> model.posterior(torch.tensor([[2.0]])).loc
        tensor([[1.]], grad_fn=...)
    """
    decoder = nn.Linear(weight.shape[1], weight.shape[0], dtype=weight.dtype)
    decoder.weight = nn.Parameter(weight.clone())
    decoder.bias = nn.Parameter(bias.clone())
    likelihood = Gaussian(decoder, scale)
    model = LatentVariableModel(StandardNormal(weight.shape[1]), likelihood, LinearGaussianPosterior(likelihood))
    return model.to(weight.dtype)


def linear_gaussian_marginal(model: LatentVariableModel) -> td.MultivariateNormal:
    r"""The marginal :math:`p(x) = \mathcal N(x; b, W W^\top + \sigma^2 I)` of a linear-Gaussian model, event shape [D].

    Args:
        model: made by :func:`linear_gaussian`; its posterior slot may hold anything.
    """
    weight, bias = model.likelihood.net.weight, model.likelihood.net.bias
    noise = (2 * model.likelihood.log_scale).exp() * torch.eye(len(bias), dtype=bias.dtype, device=bias.device)
    return td.MultivariateNormal(bias, weight @ weight.T + noise, validate_args=False)
