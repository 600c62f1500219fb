"""The slots of a mixture: p(x|z) for a one-hot z, and the posterior of z by Bayes' rule."""

from __future__ import annotations

from abc import abstractmethod

import torch
import torch.distributions as td
import torch.nn.functional as F
from torch import Tensor, nn

from vaecourse.distributions import Conditional


class Components(Conditional):
    """p(x|z) for a one-hot z of K states, which can score a datum under all K at once."""

    @abstractmethod
    def log_probs(self, x: Tensor) -> Tensor:
        """log p(x|z=k) for every k, [N, K], in nats, for x [N, D]."""


class GaussianComponents(Components):
    r""":math:`p(x|z=k) = \mathcal N(x; \mu_k, \Sigma_k)`.

    Args:
        means: mu, [K, D].
        covariances: Sigma, [K, D, D], positive definite.
    """

    def __init__(self, means: Tensor, covariances: Tensor):
        super().__init__()
        self.means = nn.Parameter(means.clone())
        self.scale_tril = nn.Parameter(torch.linalg.cholesky(covariances))  # [K, D, D]

    def forward(self, c: Tensor | None = None) -> td.MultivariateNormal:
        """The distribution of x, event shape [D], given z of shape [..., K]."""
        scale_tril = torch.einsum("...k,kde->...de", c, self.scale_tril)
        return td.MultivariateNormal(c @ self.means, scale_tril=scale_tril)

    def log_probs(self, x: Tensor) -> Tensor:
        """log N(x; mu_k, Sigma_k), [N, K], in nats."""
        return td.MultivariateNormal(self.means, scale_tril=self.scale_tril).log_prob(x[:, None])


class BernoulliComponents(Components):
    r""":math:`p(x|z=k) = \prod_d \mathrm{Bern}(x_d; \mu_{kd})`, for x in {0, 1}.

    Args:
        means: mu, [K, D], strictly between 0 and 1; held as logits.
    """

    def __init__(self, means: Tensor):
        super().__init__()
        self.logits = nn.Parameter(means.logit())

    def forward(self, c: Tensor | None = None) -> td.Independent:
        """The distribution of x, event shape [D], given z of shape [..., K]."""
        return td.Independent(td.Bernoulli(logits=c @ self.logits, validate_args=False), 1)

    def log_probs(self, x: Tensor) -> Tensor:
        """log Bern(x; mu_k), [N, K], in nats: x logit - log(1 + exp(logit)), summed over pixels."""
        return x.to(self.logits) @ self.logits.T - F.softplus(self.logits).sum(-1)


class BayesRule(Conditional):
    r"""The posterior of a mixture, :math:`p(z=k|x) = \pi_k\, p(x|z=k) / \sum_j \pi_j\, p(x|z=j)`.

    Args:
        prior: p(z), a ``OneHotCategorical``.
        likelihood: p(x|z). Both are the model's own slots, read at every call.
    """

    def __init__(self, prior: Conditional, likelihood: Components):
        super().__init__()
        self.prior = prior
        self.likelihood = likelihood

    def log_joint(self, x: Tensor) -> Tensor:
        """log p(x, z=k) for every k, [N, K], in nats."""
        return self.prior().logits + self.likelihood.log_probs(x)

    def forward(self, c: Tensor | None = None) -> td.OneHotCategorical:
        """The distribution of the one-hot z, event shape [K], given x of shape [N, D]."""
        return td.OneHotCategorical(logits=self.log_joint(c))
