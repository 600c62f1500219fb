"""Mixtures of Gaussians: one given a context, whose components a network moves, and whose component a point is."""

from __future__ import annotations

import torch
import torch.distributions as td
from torch import Tensor, nn

from vaecourse.distributions.conditional import Conditional, full_precision
from vaecourse.distributions.sampling import full_precision_arithmetic


class ConditionalMixture(Conditional):
    r"""A mixture given a context, :math:`p(z|c) = \sum_k \pi_k\, \mathcal N(z; \mu_k(c), \sigma_k^2(c))`, k summed out.

    As the lower layer of a :class:`~vaecourse.distributions.Chain` over :math:`z_2 \sim \mathcal N(0, I)` it is the
    prior of a GMVAE, in which k is a cluster and :math:`z_2` what the clusters have in common. No cluster is ever
    sampled in training, and no bound of its own is needed: the sum over k is part of the density.

    Args:
        net: from the context [..., C] to [..., 2 K L]: for each component its means, then the logarithms of its
            standard deviations. Components that start at one point stay at one point:
            :func:`~vaecourse.networks.start_at` sets where they start.
        num_components: number K of components; their weights are learned from even ones.

    References:
        Bishop (1994), Mixture density networks; Dilokthanakul et al. (2016), equation 1, where k is inferred by q.

    Example:
        >>> mixture = ConditionalMixture(nn.Linear(2, 2 * 10 * 3), num_components=10)
        >>> z = mixture(torch.zeros(5, 2)).sample()
        >>> z.shape, responsibilities(mixture(torch.zeros(5, 2)), z).shape
        (torch.Size([5, 3]), torch.Size([5, 10]))
    """

    def __init__(self, net: nn.Module, num_components: int):
        super().__init__()
        if num_components < 1:
            raise ValueError(f"num_components must be at least 1, and is {num_components}")
        self.net = net
        self.logits = nn.Parameter(torch.zeros(num_components))

    def forward(self, c: Tensor | None = None) -> td.MixtureSameFamily:
        """The mixture with event shape [L], given a context of shape [..., C]."""
        outputs = full_precision(self.net(c))
        needed = 2 * len(self.logits)
        if outputs.shape[-1] % needed:
            raise ValueError(f"net must give a multiple of {needed} outputs, and gives {outputs.shape[-1]}")
        loc, log_scale = outputs.unflatten(-1, (len(self.logits), -1)).chunk(2, -1)  # [..., K, L]
        components = td.Independent(td.Normal(loc, log_scale.exp(), validate_args=False), 1)
        weights = td.Categorical(logits=self.logits.expand(*outputs.shape[:-1], -1), validate_args=False)
        return td.MixtureSameFamily(weights, components, validate_args=False)


def responsibilities(mixture: td.MixtureSameFamily, z: Tensor) -> Tensor:
    r"""Which component a point is of, :math:`p(k|z) \propto \pi_k\, p_k(z)`.

    Args:
        mixture: with K components, batch shape [...] and event shape [L].
        z: [..., L].

    Returns:
        Probabilities, [..., K].

    Raises:
        ValueError: mixture is no mixture.
    """
    if not isinstance(mixture, td.MixtureSameFamily):
        raise ValueError(f"mixture must be a mixture, and is {type(mixture).__name__}")
    with full_precision_arithmetic(mixture):
        log_joint = mixture.component_distribution.log_prob(z[..., None, :]) + mixture.mixture_distribution.logits
    return log_joint.softmax(-1)
