"""The linear VAE at its optimum: reverse water-filling on the eigenvalues of the data's covariance."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from vaecourse.likelihoods import Gaussian
from vaecourse.model import LatentVariableModel
from vaecourse.posteriors import DiagonalGaussian
from vaecourse.priors import StandardNormal


@dataclass(frozen=True)
class LinearVAE:
    r"""The maximum of the beta-ELBO over all linear VAEs, for data with mean b and covariance :math:`U \Lambda U^\top`.

    Latent i looks along the i-th eigenvector, and lives where its eigenvalue stands above the water level
    :math:`\theta = \beta \sigma^2`:

    .. math:: W = U_L\,(\Lambda_L - \theta I)_+^{1/2}, \qquad
              q(z_i|x) = \mathcal N\Big(\tfrac{w_i}{\lambda_i}\, u_i^\top (x - b),\; \tfrac{\theta}{\lambda_i}\Big)
              \text{ if } \lambda_i > \theta, \text{ else } p(z_i)

    Rate and squared error depend on beta and sigma^2 through their product only: they are one knob. They are those of
    reverse water-filling, so that no code of these data, linear or not, has a smaller squared error at this rate
    (while the latents are enough, and the data Gaussian).

    Attributes:
        eigenvalues: of the covariance, in descending order, [D], float64.
        eigenvectors: beside them, as columns, [D, D].
        mean: b, [D].
        num_latents: L.
        beta: weight of the rate.
        scale: sigma of the likelihood, in the data's units.

    References:
        Tipping & Bishop (1999) for beta = 1; Lucas et al. (2019), Don't blame the ELBO!; Cover & Thomas
        (2006), theorem 10.3.3, for the water-filling.
    """

    eigenvalues: Tensor
    eigenvectors: Tensor
    mean: Tensor
    num_latents: int
    beta: float
    scale: float

    @property
    def water_level(self) -> float:
        """theta = beta sigma^2, in squared units of the data."""
        return self.beta * self.scale**2

    @property
    def active(self) -> Tensor:
        """Which directions have a living latent, [D] bool."""
        has_latent = torch.arange(len(self.eigenvalues)) < self.num_latents
        return has_latent & (self.eigenvalues > self.water_level)

    @property
    def rates(self) -> Tensor:
        """KL averaged over data, of every direction's latent, [D] in nats: half the log of eigenvalue over level."""
        return torch.where(self.active, 0.5 * (self.eigenvalues / self.water_level).log(), 0.0)

    @property
    def squared_errors(self) -> Tensor:
        """Expected squared error of the reconstruction along every direction, [D]: the level, or all the variance."""
        return torch.where(self.active, self.water_level, self.eigenvalues)

    @property
    def distortions(self) -> Tensor:
        """Expected -log p(x|z) along every direction, [D] in nats."""
        return 0.5 * (math.log(2 * math.pi * self.scale**2) + self.squared_errors / self.scale**2)

    @property
    def rate(self) -> float:
        """Sum of the rates, in nats per datum."""
        return self.rates.sum().item()

    @property
    def distortion(self) -> float:
        """Sum of the distortions, in nats per datum."""
        return self.distortions.sum().item()

    @property
    def bound(self) -> float:
        """The maximum of the beta-ELBO, averaged over data, in nats per datum."""
        return -self.distortion - self.beta * self.rate

    @property
    def elbo(self) -> float:
        """The evidence lower bound (beta = 1) at these parameters, averaged over data, in nats per datum."""
        return -self.distortion - self.rate

    @property
    def log_px(self) -> float:
        r"""log p(x) at these parameters, averaged over data, in nats: of :math:`\mathcal N(b, W W^\top + \sigma^2 I)`.

        No higher moment of the data enters, so that it holds for data of any distribution with this covariance.
        """
        variances = self._signal + self.scale**2
        return -0.5 * ((2 * math.pi * variances).log() + self.eigenvalues / variances).sum().item()

    @property
    def _signal(self) -> Tensor:
        """w^2 of every direction, [D]."""
        return torch.where(self.active, self.eigenvalues - self.water_level, 0.0)

    def model(self) -> LatentVariableModel:
        """The model with these parameters, float64 and trainable: linear networks, and a diagonal Gaussian q.

        Its encoder gives the log-scales by the bias alone.
        """
        lives, size = self.active[: self.num_latents], len(self.mean)
        directions = self.eigenvectors[:, : self.num_latents]  # [D, L]
        eigenvalues, gain = self.eigenvalues[: self.num_latents], self._signal[: self.num_latents].sqrt()
        read = torch.where(lives, gain / eigenvalues, 0.0)[:, None] * directions.T  # [L, D]
        log_scale = torch.where(lives, 0.5 * (self.water_level / eigenvalues).log(), 0.0)
        decoder = nn.Linear(self.num_latents, size, dtype=torch.float64)
        encoder = nn.Linear(size, 2 * self.num_latents, dtype=torch.float64)
        likelihood = Gaussian(decoder, self.scale).double()
        with torch.no_grad():
            decoder.weight.copy_(directions * gain)
            decoder.bias.copy_(self.mean)
            encoder.weight.copy_(torch.cat([read, torch.zeros_like(read)]))
            encoder.bias.copy_(torch.cat([-read @ self.mean, log_scale]))
            likelihood.log_scale.fill_(math.log(self.scale))  # which was rounded to float32
        return LatentVariableModel(StandardNormal(self.num_latents).double(), likelihood, DiagonalGaussian(encoder))


def linear_vae(
    covariance: Tensor, num_latents: int, beta: float = 1.0, scale: float = 1.0, mean: Tensor | None = None
) -> LinearVAE:
    r"""The optimum of the beta-ELBO of a linear VAE, in closed form.

    .. math:: p(x|z) = \mathcal N(x;\, Wz + b,\, \sigma^2 I), \qquad q(z|x) = \mathcal N(z;\, V(x - b),\,
              \mathrm{diag}(d)), \qquad \max_{W, V, d, b} \; E_x\big[E_q \log p(x|z) - \beta\,
              \mathrm{KL}(q(z|x) \,\|\, \mathcal N(0, I))\big]

    Args:
        covariance: of the data, [D, D], or its eigenvalues alone, [D] in any order, for data that vary along the axes.
        num_latents: L, 1..D.
        beta: weight of the KL, above 0.
        scale: sigma, in the data's units, above 0; it is given, not fitted.
        mean: b, [D], of the data; zeros where left out.

    Returns:
        The :class:`LinearVAE`.

    Raises:
        ValueError: covariance is no covariance, or an argument is out of its range.

    Example:
        >>> best = linear_vae(torch.tensor([4.0, 1.0, 0.25]), num_latents=2, beta=2.0, scale=0.5)
        >>> best.active.tolist(), round(best.rate, 4)  # log(4 / 0.5) / 2 + log(1 / 0.5) / 2
        ([True, True, False], 1.3863)
    """
    for name, value in (("beta", beta), ("scale", scale)):
        if not 0 < value < math.inf:
            raise ValueError(f"{name} must be a number above 0, and is {value}")
    eigenvalues, eigenvectors = _eigen(covariance)
    size = len(eigenvalues)
    if not 1 <= num_latents <= size:
        raise ValueError(f"num_latents must be in 1..{size}, the dimensions of the data, and is {num_latents}")
    mean = torch.zeros(size, dtype=torch.float64) if mean is None else mean.detach().cpu().double()
    if mean.shape != (size,):
        raise ValueError(f"mean must have shape [{size}], and has {list(mean.shape)}")
    if not mean.isfinite().all():
        raise ValueError("mean must be finite, and holds a NaN or an infinity")
    return LinearVAE(eigenvalues, eigenvectors, mean, num_latents, float(beta), float(scale))


def _eigen(covariance: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvalues [D] in descending order and eigenvectors [D, D], float64."""
    if not covariance.is_floating_point():
        raise ValueError(f"covariance must hold real numbers, and is of type {covariance.dtype}")
    matrix = covariance.detach().cpu().double()
    if matrix.ndim not in (1, 2) or matrix.shape[0] != matrix.shape[-1] or not matrix.numel():
        raise ValueError(f"covariance must be [D, D], or its eigenvalues [D], and has shape {list(matrix.shape)}")
    if not matrix.isfinite().all():
        raise ValueError("covariance must be finite, and holds a NaN or an infinity")
    rounding = len(matrix) * torch.finfo(covariance.dtype).eps * matrix.abs().max()
    if matrix.ndim == 1:
        eigenvalues, order = matrix.sort(descending=True)
        eigenvectors = torch.eye(len(matrix), dtype=torch.float64)[:, order]
    elif (matrix - matrix.T).abs().max() > rounding:
        raise ValueError("covariance must be symmetric, and is not")
    else:
        eigenvalues, eigenvectors = (part.flip(-1) for part in torch.linalg.eigh(matrix))
    if eigenvalues[-1] < -rounding:
        raise ValueError(f"covariance must have no eigenvalue below 0, and has {eigenvalues[-1]:.4g}")
    return eigenvalues.clamp(min=0), eigenvectors
