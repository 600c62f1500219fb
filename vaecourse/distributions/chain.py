"""Layers: a conditional whose variable is drawn in two parts, the second given the first."""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.distributions as td
from torch import Tensor, nn

from vaecourse.distributions.conditional import Conditional
from vaecourse.distributions.sampling import has_jumps, log_prob, sample_and_log_prob

ONE = torch.Size()


class Chain(Conditional):
    r"""A first variable, and a second one given it: :math:`q(z_1, z_2 | c) = q(z_1|c)\, q(z_2|z_1, h(c))`.

    A prior, or a bottom-up posterior, is a Markov chain and has no features; a top-down posterior lets the second layer
    look at the context as well, through features that are computed once and not for every sample. Chains of chains have
    more layers.

    Args:
        first: the conditional of the part that is drawn first, given the context.
        second: the conditional of the other part, called with the first part [..., L1] and then with the features.
        sizes: how many dimensions the *top* and the *bottom* part have; the variable is (top, bottom), concatenated.
        top_first: whether the top part is the one that is drawn first. A generative model goes down from the top, a
            bottom-up posterior the other way.
        features: h, a module from the context to what ``second`` reads of it; None if it reads nothing.

    References:
        Sønderby et al. (2016), section 2, for the two directions of inference.

    Example:
        >>> from vaecourse.networks import MLP
        >>> from vaecourse.posteriors import DiagonalGaussian
        >>> from vaecourse.priors import StandardNormal
        >>> prior = Chain(StandardNormal(2), DiagonalGaussian(MLP(2, (8,), 2 * 3)), sizes=(2, 3))
        >>> z = prior().sample((5,))
        >>> z.shape, prior().log_probs(z).shape
        (torch.Size([5, 5]), torch.Size([2, 5]))
    """

    def __init__(
        self,
        first: Conditional,
        second: Conditional,
        sizes: tuple[int, int],
        top_first: bool = True,
        features: nn.Module | None = None,
    ):
        super().__init__()
        self.first = first
        self.second = second
        self.sizes = tuple(sizes)
        self.top_first = top_first
        self.features = features

    def forward(self, *context: Tensor) -> ChainDistribution:
        """The distribution of (top, bottom), event shape [L], given the context."""
        seen = () if self.features is None else (self.features(*context),)
        return ChainDistribution(self.first(*context), self.second, seen, self.sizes, self.top_first)


class ChainDistribution(td.Distribution):
    """What a :class:`Chain` is at a given context; ``log_probs`` has the log-density of each layer by itself."""

    arg_constraints: ClassVar = {}
    support = td.constraints.real_vector

    def __init__(
        self,
        first: td.Distribution,
        second: Conditional,
        features: tuple[Tensor, ...],
        sizes: tuple[int, int],
        top_first: bool,
    ):
        size = sizes[0 if top_first else 1]
        if first.event_shape != (size,):
            raise ValueError(
                f"sizes must be how many dimensions the top and the bottom part have, and is {tuple(sizes)} where the "
                f"one that is drawn first has {first.event_shape.numel()}"
            )
        self.first = first
        self.second = second
        self.features = features
        self.sizes = sizes
        self.top_first = top_first
        super().__init__(first.batch_shape, torch.Size([sum(sizes)]), validate_args=False)

    def expand(self, batch_shape: torch.Size, _instance: None = None) -> ChainDistribution:
        """The same distribution at every place of a batch."""
        first = self.first.expand(batch_shape)
        return ChainDistribution(first, self.second, self.features, self.sizes, self.top_first)

    @property
    def has_rsample(self) -> bool:
        """Whether the first part can be reparameterised; if the second cannot, sampling says so."""
        return self.first.has_rsample

    def rsample_and_log_prob(self, shape: torch.Size = ONE) -> tuple[Tensor, Tensor]:
        """Samples [..., L] with their log-density, in nats: the second part is computed once for both."""
        z_1, log_q_1 = sample_and_log_prob(self.first, shape)
        second = self.second(z_1, *self.features)
        if not second.has_rsample:
            raise NotImplementedError(
                f"the second part of a chain must have rsample, and {type(second).__name__} has not"
            )
        if torch.is_grad_enabled() and has_jumps(second):  # known only now, after the estimator has asked
            raise ValueError(
                f"the second part of a chain needs a density without jumps, and {type(second).__name__} has some: "
                "a gradient along the samples does not see them"
            )
        z_2, log_q_2 = sample_and_log_prob(second)
        return self._joined(z_1, z_2), log_q_1 + log_q_2

    def rsample(self, sample_shape: torch.Size = ONE) -> Tensor:
        """Samples whose gradient reaches both parts."""
        return self.rsample_and_log_prob(sample_shape)[0]

    def sample(self, sample_shape: torch.Size = ONE) -> Tensor:
        """Samples without a gradient; neither part needs rsample."""
        with torch.no_grad():
            z_1 = self.first.sample(torch.Size(sample_shape))
            return self._joined(z_1, self.second(z_1, *self.features).sample())

    def log_probs(self, value: Tensor) -> Tensor:
        """The log-density of each layer given what was drawn before it, in nats, [layers, ...], from the top down."""
        parts = value.split(self.sizes, -1)
        z_1, z_2 = parts if self.top_first else parts[::-1]
        layers = [_log_probs(self.first, z_1), _log_probs(self.second(z_1, *self.features), z_2)]
        return torch.cat(layers if self.top_first else layers[::-1])

    def log_prob(self, value: Tensor) -> Tensor:
        """log q(z), in nats."""
        return self.log_probs(value).sum(0)

    def _joined(self, z_1: Tensor, z_2: Tensor) -> Tensor:
        return torch.cat((z_1, z_2) if self.top_first else (z_2, z_1), -1)


def _log_probs(distribution: td.Distribution, value: Tensor) -> Tensor:
    """Of a chain, each of its layers; of anything else, its one layer: [layers, ...]."""
    if hasattr(distribution, "log_probs"):
        return distribution.log_probs(value)
    return log_prob(distribution, value)[None]
