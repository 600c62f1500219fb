"""Probabilistic PCA by EM: the one model with a continuous latent whose two steps are both closed."""

from __future__ import annotations

import math

import torch
import torch.distributions as td
from torch import Tensor

from vaecourse.em.base import EMModel, check_data
from vaecourse.exact import linear_gaussian, linear_gaussian_marginal


class ProbabilisticPCA(EMModel):
    r"""z ~ N(0, I), x|z ~ N(W z + b, sigma^2 I), with W, b and sigma^2 by EM.

    Args:
        weight: W, [D, L].
        bias: b, [D].
        variance: sigma^2, in squared units of x.
        variance_floor: least sigma^2 that the M step sets; the default only keeps it positive.

    Raises:
        ValueError: for a variance or a floor that is not positive, or shapes that do not fit.

    References:
        Tipping & Bishop (1999), equations 6 to 9 (posterior) and appendix B (EM). Their M step holds b at the
        mean of the data, where it ends; this one maximises over W, b and sigma^2 together.

    Example:
        >>> x = torch.randn(200, 5, dtype=torch.float64)
        >>> model = ProbabilisticPCA.from_data(x, num_latents=2)
        >>> trace = model.fit(x, num_steps=20)
        >>> bool((trace.log_likelihood.diff() > -1e-9).all())
        True
    """

    def __init__(self, weight: Tensor, bias: Tensor, variance: float, variance_floor: float = 1e-12):
        for name, value in (("variance", variance), ("variance_floor", variance_floor)):
            if not value > 0:
                raise ValueError(f"{name} must be above 0; got {value}")
        super().__init__()
        if weight.ndim != 2 or bias.shape != weight.shape[:1]:
            raise ValueError(f"weight must be [D, L] and bias [D]; got {list(weight.shape)} and {list(bias.shape)}")
        model = linear_gaussian(weight.detach().double(), bias.detach().double(), math.sqrt(variance))
        self.prior, self.likelihood, self.posterior = model.prior, model.likelihood, model.posterior
        self.variance_floor = variance_floor
        self._set_variance(variance)

    @classmethod
    def from_data(cls, x: Tensor, num_latents: int, seed: int = 0) -> ProbabilisticPCA:
        """A start for EM: a random W of the data's scale, b the mean, sigma^2 the mean variance of a pixel.

        Args:
            x: data [N, D], floats of any dtype.
            num_latents: L, 1..D - 1.
            seed: of the random W.

        Raises:
            ValueError: x is no data or does not vary, or num_latents is out of range.
        """
        x = check_data(x)
        variance = float(x.var(0, correction=0).mean())
        if not variance > 0:
            raise ValueError(f"x must hold at least two different data; got {len(x)} without spread")
        generator = torch.Generator().manual_seed(seed)
        noise = torch.randn(x.shape[1], _check_latents(x, num_latents), generator=generator, dtype=torch.float64)
        return cls(math.sqrt(variance) * noise.to(x), x.mean(0), variance)

    @classmethod
    def closed_form(cls, x: Tensor, num_latents: int) -> ProbabilisticPCA:
        r"""The maximum-likelihood model, from the eigenvalues of the data's covariance.

        .. math:: W = U_L (\Lambda_L - \sigma^2 I)^{1/2}, \qquad \sigma^2 = \frac{1}{D-L} \sum_{d>L} \lambda_d

        Args:
            x: data [N, D], floats of any dtype.
            num_latents: L, 1..D - 1.

        Raises:
            ValueError: x is no data, num_latents is out of range, or x varies in no more than L directions, which
                leaves sigma^2 at 0 and the likelihood without a maximum.

        References:
            Tipping & Bishop (1999), equations 7 and 8, with the rotation R = I.
        """
        x = check_data(x)
        _check_latents(x, num_latents)
        eigenvalues, eigenvectors = torch.linalg.eigh(torch.cov(x.T, correction=0))  # ascending
        variance = eigenvalues[:-num_latents].mean()
        if not variance > len(eigenvalues) * torch.finfo(x.dtype).eps * eigenvalues[-1]:  # rounding of an eigenvalue
            raise ValueError(
                f"x must vary in more than num_latents = {num_latents} directions, or nothing is left for sigma^2; its "
                f"{len(x)} data do not"
            )
        kept = (eigenvalues[-num_latents:] - variance).clamp(min=0).sqrt()
        return cls((eigenvectors[:, -num_latents:] * kept).flip(1), x.mean(0), float(variance))

    @property
    def weight(self) -> Tensor:
        """W, [D, L]."""
        return self.likelihood.net.weight

    @property
    def bias(self) -> Tensor:
        """b, [D]."""
        return self.likelihood.net.bias

    @property
    def variance(self) -> Tensor:
        """sigma^2, in squared units of x."""
        return (2 * self.likelihood.log_scale).exp()

    @torch.no_grad()
    def m_step(self, x: Tensor, q: td.MultivariateNormal) -> None:
        """Regress x on z, whose first two moments q gives."""
        x = self.check(x)
        mean_x, mean_z = x.mean(0), q.mean.mean(0)
        dx, dz = x - mean_x, q.mean - mean_z  # [N, D], [N, L]
        second_moment = q.covariance_matrix.sum(0) + dz.T @ dz  # [L, L]
        self.weight.copy_(torch.linalg.solve(second_moment, dz.T @ dx).T)
        self.bias.copy_(mean_x - self.weight @ mean_z)
        self._set_variance(float(self._expected_square(x, q).mean()) / x.shape[1])

    def expected_log_joint(self, x: Tensor, q: td.MultivariateNormal) -> Tensor:
        """E_q log p(x, z), [N], in nats."""
        x = self.check(x)
        square_z = q.mean.square().sum(-1) + q.variance.sum(-1)
        log_pz = -0.5 * (square_z + q.mean.shape[-1] * math.log(2 * math.pi))
        log_variance = 2 * self.likelihood.log_scale
        normaliser = x.shape[1] * (math.log(2 * math.pi) + log_variance)
        return log_pz - 0.5 * (self._expected_square(x, q) * (-log_variance).exp() + normaliser)

    def log_likelihood(self, x: Tensor) -> Tensor:
        """log N(x; b, W W^T + sigma^2 I), [N], in nats."""
        return linear_gaussian_marginal(self).log_prob(self.check(x))

    def _expected_square(self, x: Tensor, q: td.MultivariateNormal) -> Tensor:
        """E_q |x - b - W z|^2, [N]."""
        residual = x - self.likelihood.net(q.mean)
        return residual.square().sum(-1) + ((self.weight.T @ self.weight) * q.covariance_matrix).sum((-2, -1))

    def _set_variance(self, variance: float) -> None:
        self.likelihood.log_scale.fill_(math.log(max(variance, self.variance_floor)) / 2)

    def check(self, x: Tensor) -> Tensor:
        """The data in float64; x of another shape, or with values that are no finite floats, are refused."""
        return check_data(x, len(self.bias), self.bias)


def _check_latents(x: Tensor, num_latents: int) -> int:
    if x.shape[1] < 2:
        raise ValueError(f"x must have at least two dimensions, for num_latents stays below them; got {list(x.shape)}")
    if not 1 <= num_latents < x.shape[1]:
        raise ValueError(f"num_latents must be in 1..{x.shape[1] - 1}, below the dimension of x; got {num_latents}")
    return num_latents
