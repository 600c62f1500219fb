"""Mixtures by EM: the E step shares out the data among components, the M step refits each to its share."""

from __future__ import annotations

from abc import abstractmethod

import torch
import torch.distributions as td
from torch import Tensor

from vaecourse.distributions import Conditional
from vaecourse.em.base import EMModel, check_data
from vaecourse.em.components import BayesRule, BernoulliComponents, Components, GaussianComponents
from vaecourse.priors import Categorical


class Mixture(EMModel):
    r"""p(x) = sum_k pi_k p(x|z=k). What the components are is left to the two final classes below.

    A component that no datum has any share in (a dead one) gets weight 0 and keeps its other parameters. They
    no longer enter the bound, so the M step still maximises it; since its weight is 0, no E step revives it.
    """

    def __init__(self, prior: Conditional, likelihood: Components):
        super().__init__()
        self.prior = prior
        self.likelihood = likelihood
        self.posterior = BayesRule(prior, likelihood)

    @property
    def weights(self) -> Tensor:
        """pi, [K]: the share of each component."""
        return self.prior().probs

    @torch.no_grad()
    def m_step(self, x: Tensor, q: td.OneHotCategorical) -> None:
        """Refit every component to its share of the data, which is q.probs [N, K]."""
        x = self.check(x)
        counts = q.probs.sum(0)  # [K]
        self.prior.logits.copy_((counts / len(x)).log())
        alive = counts > 0
        self._refit(x, q.probs[:, alive], counts[alive], alive)

    def expected_log_joint(self, x: Tensor, q: td.OneHotCategorical) -> Tensor:
        """sum_k q_k log p(x, z=k), [N], in nats."""
        x = self.check(x)
        # A dead component has log p(x, z) = -inf and q = 0; their product counts as 0.
        return torch.where(q.probs > 0, q.probs * self.posterior.log_joint(x), 0).sum(-1)

    def log_likelihood(self, x: Tensor) -> Tensor:
        """log sum_k pi_k p(x|z=k), [N], in nats."""
        return self.posterior.log_joint(self.check(x)).logsumexp(-1)

    @abstractmethod
    def _refit(self, x: Tensor, shares: Tensor, counts: Tensor, alive: Tensor) -> None:
        """Set the components that `alive` [K] marks to their weighted maximum-likelihood fit."""


class GaussianMixture(Mixture):
    r"""A mixture of Gaussians with full covariances.

    Without a floor the likelihood has no maximum: a component that sits on one datum and shrinks raises it
    without end. The M step maximises over covariances whose eigenvalues are at least `variance_floor`.
    Clipping the eigenvalues of the weighted sample covariance does so exactly: the bound still never falls.

    Args:
        weights: pi, [K], positive, with sum 1.
        means: mu, [K, D].
        covariances: Sigma, [K, D, D], positive definite.
        variance_floor: least eigenvalue of a covariance, in squared units of x.

    Raises:
        ValueError: for weights that are no distribution, shapes that do not fit, covariances that are not positive
            definite or a negative floor.

    References:
        Bishop (2006), section 9.2; Hathaway (1985) on constrained covariances.

    Example:
        >>> x = torch.cat([torch.randn(50, 2), torch.randn(50, 2) + 8]).double()
        >>> mixture = GaussianMixture.from_data(x, num_components=2)
        >>> trace = mixture.fit(x)
        >>> bool((trace.log_likelihood.diff() > -1e-9).all())
        True
    """

    def __init__(self, weights: Tensor, means: Tensor, covariances: Tensor, variance_floor: float = 1e-6):
        weights = _check_weights(weights, means)
        if not variance_floor >= 0:
            raise ValueError(f"variance_floor must be at least 0; got {variance_floor}")
        if covariances.shape != (*means.shape, means.shape[-1]):
            raise ValueError(
                f"covariances must be [K, D, D] of means [K, D] {list(means.shape)}; got {list(covariances.shape)}"
            )
        covariances = covariances.detach().double()
        if bool(torch.linalg.cholesky_ex(covariances).info.any()):
            raise ValueError("covariances must be positive definite, and one of them is singular or none")
        super().__init__(Categorical(weights.log()), GaussianComponents(means.detach().double(), covariances))
        self.variance_floor = variance_floor

    @classmethod
    def from_data(cls, x: Tensor, num_components: int, seed: int = 0, variance_floor: float = 1e-6) -> GaussianMixture:
        """A start for EM: equal weights, means at random data, every covariance that of the data.

        Args:
            x: data [N, D], floats of any dtype.
            num_components: K, 1..N.
            seed: of the choice of data.
            variance_floor: as for the class.

        Raises:
            ValueError: x is no data, has no K of them, or does not vary in every direction at a floor of 0.
        """
        x = check_data(x)
        means = x[_choose(x, num_components, seed)]
        covariance = _at_least(torch.cov(x.T, correction=0).reshape(x.shape[1], -1), variance_floor)
        if bool(torch.linalg.cholesky_ex(covariance).info):
            raise ValueError(
                f"x must vary in each of its {x.shape[1]} dimensions apart from all others at variance_floor "
                f"{variance_floor}; its {len(x)} data do not, and the resolution of x, squared, is a safe floor"
            )
        weights = x.new_full((num_components,), 1 / num_components)
        return cls(weights, means, covariance.expand(num_components, -1, -1), variance_floor)

    @property
    def means(self) -> Tensor:
        """mu, [K, D]."""
        return self.likelihood.means

    @property
    def covariances(self) -> Tensor:
        """Sigma, [K, D, D]."""
        return self.likelihood.scale_tril @ self.likelihood.scale_tril.mT

    def _refit(self, x: Tensor, shares: Tensor, counts: Tensor, alive: Tensor) -> None:
        means = shares.T @ x / counts[:, None]  # [K, D]
        deviations = x[:, None] - means  # [N, K, D]
        covariances = torch.einsum("nk,nkd,nke->kde", shares, deviations, deviations) / counts[:, None, None]
        scale_tril, info = torch.linalg.cholesky_ex(_at_least(covariances, self.variance_floor))
        if info.any():
            raise ValueError(
                f"a component has collapsed: the covariance of its {counts[info > 0][0]:.3g} data is singular "
                f"at variance_floor {self.variance_floor}; the resolution of x, squared, is safe"
            )
        self.likelihood.means[alive] = means
        self.likelihood.scale_tril[alive] = scale_tril

    def check(self, x: Tensor) -> Tensor:
        """The data in float64; x of another shape, or with values that are no finite floats, are refused."""
        return check_data(x, self.means.shape[1], self.means)


class BernoulliMixture(Mixture):
    r"""A mixture of products of Bernoullis, for binary x.

    The M step maximises over means in [floor, 1 - floor]. With a floor of 0, one ink dot where a component
    has seen none would cost infinitely many nats.

    Args:
        weights: pi, [K], positive, with sum 1.
        means: mu, [K, D], the probability of a one.
        probability_floor: least probability of a one, and of a zero; above 0 and below 1/2.

    Raises:
        ValueError: for weights that are no distribution, means outside [0, 1] or a floor outside (0, 1/2).

    References:
        Bishop (2006), section 9.3.3.

    Example:
        >>> x = (torch.rand(100, 5) < 0.3).double()
        >>> mixture = BernoulliMixture.from_data(x, num_components=3)
        >>> mixture.fit(x, num_steps=10).bound.shape
        torch.Size([10])
    """

    def __init__(self, weights: Tensor, means: Tensor, probability_floor: float = 1e-6):
        weights = _check_weights(weights, means)
        if not 0 < probability_floor < 0.5:
            raise ValueError(f"probability_floor must be above 0 and below 1/2; got {probability_floor}")
        if not ((means >= 0) & (means <= 1)).all():
            raise ValueError(f"means must lie in [0, 1]; got {means.min():.4g}..{means.max():.4g}")
        means = means.detach().double().clamp(probability_floor, 1 - probability_floor)
        super().__init__(Categorical(weights.log()), BernoulliComponents(means))
        self.probability_floor = probability_floor

    @classmethod
    def from_data(
        cls, x: Tensor, num_components: int, seed: int = 0, probability_floor: float = 1e-6
    ) -> BernoulliMixture:
        """A start for EM: equal weights, each mean halfway between the data's mean and a random datum.

        Args:
            x: data [N, D] of zeros and ones, floats of any dtype.
            num_components: K, 1..N.
            seed: of the choice of data.
            probability_floor: as for the class.

        Raises:
            ValueError: x is no binary data, or has no K of them.
        """
        x = _check_binary(check_data(x))
        means = (x[_choose(x, num_components, seed)] + x.mean(0)) / 2
        return cls(x.new_full((num_components,), 1 / num_components), means, probability_floor)

    @property
    def means(self) -> Tensor:
        """mu, [K, D]: the probability of a one."""
        return self.likelihood.logits.sigmoid()

    def _refit(self, x: Tensor, shares: Tensor, counts: Tensor, alive: Tensor) -> None:
        means = shares.T @ x / counts[:, None]  # [K, D]
        floor = self.probability_floor
        self.likelihood.logits[alive] = means.clamp(floor, 1 - floor).logit()

    def check(self, x: Tensor) -> Tensor:
        """The data in float64; x of another shape, or with values other than 0.0 and 1.0, are refused."""
        return _check_binary(check_data(x, self.likelihood.logits.shape[1], self.likelihood.logits))


def _check_binary(x: Tensor) -> Tensor:
    least, most = x.aminmax()
    # Within [0, 1], x^2 <= x with equality at 0 and 1 only: two sums tell, and no copy of x is made.
    if least < 0 or most > 1 or torch.dot(x.flatten(), x.flatten()) != x.sum():
        raise ValueError(f"x must hold zeros and ones; got values in {least:.4g}..{most:.4g}")
    return x


def _check_weights(weights: Tensor, means: Tensor) -> Tensor:
    """The weights [K] of means [K, D] in float64."""
    if means.ndim != 2 or weights.shape != means.shape[:1]:
        raise ValueError(f"weights must be [K] and means [K, D]; got {list(weights.shape)} and {list(means.shape)}")
    if not means.isfinite().all():
        raise ValueError(f"means must be finite; {int((~means.isfinite()).sum())} of their values are not")
    weights = weights.detach().double()
    if not (weights >= 0).all() or abs(float(weights.sum()) - 1) > 1e-5:
        raise ValueError(f"weights must be at least 0 and sum to 1; got {weights.tolist()}")
    return weights


def _choose(x: Tensor, num_components: int, seed: int) -> Tensor:
    """Indices of K different data, drawn with a local generator."""
    if not 1 <= num_components <= len(x):
        raise ValueError(f"num_components must be in 1..{len(x)}, the number of data; got {num_components}")
    return torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))[:num_components]


def _at_least(covariances: Tensor, floor: float) -> Tensor:
    """The covariances [..., D, D] with every eigenvalue raised to the floor where it is below.

    A floor below the rounding of the largest eigenvalue tells nothing apart: such a covariance stays as it is, for its
    small variances would drown in that rounding, which a Cholesky factor of it keeps off them.
    """
    if floor == 0:
        return covariances
    eigenvalues, eigenvectors = torch.linalg.eigh(covariances)
    clipped = eigenvectors @ (eigenvalues.clamp(min=floor)[..., None] * eigenvectors.mT)
    rounding = covariances.shape[-1] * torch.finfo(covariances.dtype).eps * eigenvalues[..., -1:, None]
    return torch.where(floor > rounding, clipped, covariances)
