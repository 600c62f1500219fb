"""Implicit posteriors: a network of noise that can be sampled and has no density, and how a classifier replaces it."""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.distributions as td
import torch.nn.functional as F
from torch import Tensor, nn

from vaecourse.distributions import Conditional, frozen_module, full_precision
from vaecourse.estimators.surrogate import with_gradient_of
from vaecourse.model import LatentVariableModel, check_num_samples

ONE = torch.Size()


class ImplicitPosterior(Conditional):
    r"""Whatever a network makes of the datum and of noise, :math:`z = g_\phi(x, \epsilon)`, :math:`\epsilon \sim
    \mathcal N(0, I)`.

    Args:
        net: from (x, noise), two inputs [..., D] and [..., N], to z [..., L]; see
            :class:`~vaecourse.networks.Joined`.
        num_noise: number N of noise variables; with fewer than L the samples lie on a surface.
        num_latents: number L.

    References:
        Mescheder, Nowozin & Geiger (2017), section 3.
    """

    def __init__(self, net: nn.Module, num_noise: int, num_latents: int):
        super().__init__()
        for name, value in (("num_noise", num_noise), ("num_latents", num_latents)):
            if value < 1:
                raise ValueError(f"{name} must be at least 1, and is {value}")
        self.net = net
        self.num_noise = num_noise
        self.num_latents = num_latents

    def forward(self, c: Tensor) -> ImplicitDistribution:
        """The distribution of z, event shape [L], given x of shape [B, D]."""
        return ImplicitDistribution(self.net, c, self.num_noise, self.num_latents)


class ImplicitDistribution(td.Distribution):
    """Samples without a density; see :class:`ImplicitPosterior`."""

    arg_constraints: ClassVar = {}
    support = td.constraints.real_vector
    has_rsample = True

    def __init__(self, net: nn.Module, x: Tensor, num_noise: int, num_latents: int):
        self.net = net
        self.x = x
        self.num_noise = num_noise
        super().__init__(x.shape[:-1], torch.Size([num_latents]), validate_args=False)

    def rsample(self, sample_shape: torch.Size = ONE) -> Tensor:
        """Samples [*sample_shape, B, L] whose gradient reaches the network."""
        noise = self.x.new_empty(*sample_shape, *self.batch_shape, self.num_noise).normal_()
        return full_precision(self.net(self.x, noise))

    @torch.no_grad()
    def sample(self, sample_shape: torch.Size = ONE) -> Tensor:
        """Samples without a gradient."""
        return self.rsample(sample_shape)

    def log_prob(self, value: Tensor) -> Tensor:
        """Refused: there is none."""
        raise NotImplementedError(
            "an implicit q has samples and no density: train it by PriorContrastive or JointContrastive"
        )


class _Contrastive(nn.Module):
    """A classifier whose logit is the log-ratio of the two sets of pairs (x, z) that it tells apart."""

    def __init__(self, classifier: nn.Module, num_samples: int = 1):
        super().__init__()
        check_num_samples(num_samples)
        self.classifier = classifier
        self.num_samples = num_samples

    def log_ratio_estimate(self, x: Tensor, z: Tensor) -> Tensor:
        """T(x, z) in nats, [S, B], for x [B, D] and z [S, B, L]."""
        return _logits(self.classifier, x, z)

    def _held(self, x: Tensor, z: Tensor) -> Tensor:
        """T(x, z) with the classifier held constant: its gradient reaches z alone."""
        return _logits(frozen_module(self.classifier), x, z)

    def _contrast(self, ours: tuple[Tensor, Tensor], others: tuple[Tensor, Tensor]) -> Tensor:
        """The classifier's log-likelihood on pairs (x, z) of either kind, [S, B]."""
        return F.logsigmoid(self.log_ratio_estimate(*ours)) + F.logsigmoid(-self.log_ratio_estimate(*others))


class PriorContrastive(_Contrastive):
    r"""Adversarial variational Bayes: a classifier tells samples of q(z|x) from samples of the prior.

    The best classifier has the logit :math:`T(x, z) = \log q(z|x) - \log p(z)`, the one term of the bound that an
    implicit q lacks. Called as an estimator, ``(model, x, num_samples)``, it gives

    .. math:: \frac1S \sum_s \log p(x|z_s) - T(x, z_s)

    which is an estimate of the bound and **no bound**: a classifier that lags behind makes it too high. Its gradient
    moves q and the decoder with T held constant, and the classifier by its own log-likelihood. Hand it to ``fit`` as
    the bound, with a rate of its own for the classifier: ``learning_rate={"": 1e-3, "bound.": 3e-3}``.

    Args:
        classifier: from (x, z), two inputs [..., D] and [..., L], to logits [..., 1].
        num_samples: number S of samples of q where the call names none, as in ``fit``.

    References:
        Mescheder, Nowozin & Geiger (2017), section 3 and algorithm 1; Huszár (2017) for "prior-contrastive".
    """

    def forward(self, model: LatentVariableModel, x: Tensor, num_samples: int | None = None) -> Tensor:
        """The estimate of the bound, [B], in nats."""
        z = _samples_of_q(model, x, self.num_samples if num_samples is None else num_samples)
        value = model.log_likelihood(x, z) - self._held(x, z)
        of_prior = model.prior().sample(z.shape[:2]).detach()
        contrast = self._contrast((x, z.detach()), (x, of_prior))
        return with_gradient_of(value.mean(0), (value + contrast).mean(0))


class JointContrastive(_Contrastive):
    r"""A classifier tells pairs (datum, sample of q) from pairs (datum of the model, its own latent).

    The best classifier has the logit :math:`T(x, z) = \log q(z|x)\,\hat p(x) - \log p(x, z)`, where :math:`\hat p` is
    the distribution of the data. Called as an estimator it gives :math:`-\frac1S \sum_s T(x, z_s)`, an estimate of the
    bound *less* :math:`\log \hat p(x)`, and again no bound. Neither densities of q nor of the model enter q's gradient;
    the decoder, whose likelihood is known, climbs :math:`\log p(x|z)`.

    Args:
        classifier: from (x, z), two inputs [..., D] and [..., L], to logits [..., 1].
        num_samples: number S of samples of q where the call names none, as in ``fit``.

    References:
        Huszár (2017), "joint-contrastive"; Dumoulin et al. (2017) and Donahue et al. (2017) for the game.
    """

    def forward(self, model: LatentVariableModel, x: Tensor, num_samples: int | None = None) -> Tensor:
        """The estimate of the bound less the data's log-density, [B], in nats."""
        z = _samples_of_q(model, x, self.num_samples if num_samples is None else num_samples)
        value = -self._held(x, z)
        with torch.no_grad():
            of_prior = model.prior().sample(z.shape[:2])
            of_model = model.likelihood(of_prior).sample()
        contrast = self._contrast((x, z.detach()), (of_model, of_prior))
        climbed = value + contrast + model.log_likelihood(x, z.detach())
        return with_gradient_of(value.mean(0), climbed.mean(0))


def _samples_of_q(model: LatentVariableModel, x: Tensor, num_samples: int) -> Tensor:
    check_num_samples(num_samples)
    q = model.qz_x(x)
    if not q.has_rsample:
        raise ValueError(f"a contrastive estimate needs a q(z|x) with rsample, and {type(q).__name__} has none")
    return q.rsample((num_samples,))


def _logits(classifier: nn.Module, x: Tensor, z: Tensor) -> Tensor:
    return full_precision(classifier(x, z)).squeeze(-1)
