"""Layers: a conditional whose variable is drawn in parts, each given what was drawn before it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

import torch
import torch.distributions as td
from torch import Tensor, nn

from vaecourse.distributions.conditional import Conditional
from vaecourse.distributions.sampling import has_jumps, log_prob, sample_and_log_prob

ONE = torch.Size()


class Layer(NamedTuple):
    """One layer at a value: its distribution given what was drawn before it, its part of z, and the log-density."""

    distribution: td.Distribution  # of this part
    value: Tensor  # [..., L_l]
    log_prob: Tensor  # [...], in nats
    turn: int  # 0 for the layer that is drawn first


class Chain(Conditional):
    r"""A first variable, and a second one given it: :math:`q(z_1, z_2 | c) = q(z_1|c)\, q(z_2|z_1, h(c))`.

    A prior, or a bottom-up posterior, is a Markov chain and has no features; a top-down posterior lets the second layer
    look at the context as well, through features that are computed once and not for every sample. Chains of chains have
    more layers: as the first part of another, a chain hands on all that it has drawn, as the second part, made by
    :meth:`over`, each layer sees the one before it.

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

    @classmethod
    def over(
        cls,
        layers: Sequence[Conditional],
        sizes: Sequence[int],
        top_first: bool = True,
        features: nn.Module | None = None,
    ) -> Chain:
        """A Markov chain of any number of layers, each given the one drawn before it, and the features if there are.

        Args:
            layers: the conditionals in the order in which they are drawn, at least two.
            sizes: how many dimensions each layer has, from the *top* down, whichever is drawn first.
            top_first: as above.
            features: as above; every layer but the first reads them.

        Raises:
            ValueError: layers and sizes are not equally many, or fewer than two.

        Example:
            >>> from vaecourse.networks import MLP
            >>> from vaecourse.posteriors import DiagonalGaussian
            >>> from vaecourse.priors import StandardNormal
            >>> middle, bottom = DiagonalGaussian(MLP(2, (8,), 2 * 3)), DiagonalGaussian(MLP(3, (8,), 2 * 4))
            >>> prior = Chain.over([StandardNormal(2), middle, bottom], sizes=(2, 3, 4))
            >>> prior().log_probs(prior().sample((5,))).shape
            torch.Size([3, 5])
        """
        layers, sizes = list(layers), list(sizes)
        if len(layers) < 2 or len(layers) != len(sizes):
            raise ValueError(
                f"layers must be two conditionals or more, with one of sizes for each; got {len(layers)} and {sizes}"
            )
        rest = sizes[1:] if top_first else sizes[:-1]
        second = layers[1]
        if len(layers) > 2:
            second = cls.over(layers[1:], rest, top_first, None if features is None else _Handed())
        own = sizes[0] if top_first else sizes[-1]
        return cls(layers[0], second, (own, sum(rest)) if top_first else (sum(rest), own), top_first, features)

    def forward(self, *context: Tensor) -> ChainDistribution:
        """The distribution of (top, bottom), event shape [L], given the context."""
        seen = () if self.features is None else (self.features(*context),)
        return ChainDistribution(self.first(*context), self.second, seen, self.sizes, self.top_first)


class _Handed(nn.Module):
    """The features of the chain outside, handed on to the one inside."""

    def forward(self, z: Tensor, features: Tensor) -> Tensor:
        return features


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
        _check_size(first, sizes[0 if top_first else 1], sizes, "first")
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

    def rsample_and_layers(self, shape: torch.Size = ONE) -> tuple[Tensor, list[Layer]]:
        """Samples [..., L] and their layers, from the top down: every conditional is made once, for both."""
        z_1, first = _drawn(self.first, shape)
        second = self._second(z_1)
        if not second.has_rsample:
            raise NotImplementedError(
                f"the second part of a chain must have rsample, and {type(second).__name__} has not"
            )
        if torch.is_grad_enabled() and has_jumps(second):  # known only now, after the estimator has asked
            raise ValueError(
                f"the second part of a chain needs a density without jumps, and {type(second).__name__} has some: "
                "a gradient along the samples does not see them"
            )
        z_2, rest = _drawn(second)
        return self._joined(z_1, z_2), self._stacked(first, rest)

    def rsample_and_log_prob(self, shape: torch.Size = ONE) -> tuple[Tensor, Tensor]:
        """Samples [..., L] with their log-density, in nats: the second part is computed once for both."""
        z, layers = self.rsample_and_layers(shape)
        return z, sum(layer.log_prob for layer in layers)

    def rsample(self, sample_shape: torch.Size = ONE) -> Tensor:
        """Samples whose gradient reaches both parts."""
        return self.rsample_and_layers(sample_shape)[0]

    def sample(self, sample_shape: torch.Size = ONE) -> Tensor:
        """Samples without a gradient; neither part needs rsample."""
        with torch.no_grad():
            z_1 = self.first.sample(torch.Size(sample_shape))
            return self._joined(z_1, self._second(z_1).sample())

    def layers(self, value: Tensor) -> list[Layer]:
        """The layers at a value [..., L], from the top down, each given what is drawn before it."""
        if value.shape[-1:] != self.event_shape:
            raise ValueError(
                f"value must be [..., {sum(self.sizes)}], for parts of sizes {tuple(self.sizes)}, "
                f"and has shape {list(value.shape)}"
            )
        parts = value.split(self.sizes, -1)
        z_1, z_2 = parts if self.top_first else parts[::-1]
        return self._stacked(layers_of(self.first, z_1), layers_of(self._second(z_1), z_2))

    def log_probs(self, value: Tensor) -> Tensor:
        """The log-density of each layer given what was drawn before it, in nats, [layers, ...], from the top down."""
        return torch.stack([layer.log_prob for layer in self.layers(value)])

    def log_prob(self, value: Tensor) -> Tensor:
        """log q(z), in nats."""
        return self.log_probs(value).sum(0)

    def _second(self, z_1: Tensor) -> td.Distribution:
        second = self.second(z_1, *self.features)
        _check_size(second, self.sizes[1 if self.top_first else 0], self.sizes, "second")
        return second

    def _joined(self, z_1: Tensor, z_2: Tensor) -> Tensor:
        return torch.cat((z_1, z_2) if self.top_first else (z_2, z_1), -1)

    def _stacked(self, first: list[Layer], second: list[Layer]) -> list[Layer]:
        second = [layer._replace(turn=layer.turn + len(first)) for layer in second]
        return first + second if self.top_first else second + first


def layers_of(distribution: td.Distribution, value: Tensor) -> list[Layer]:
    """Of a chain, each of its layers from the top down; of anything else, its one layer."""
    if hasattr(distribution, "layers"):
        return distribution.layers(value)
    return [Layer(distribution, value, log_prob(distribution, value), 0)]


def _drawn(distribution: td.Distribution, shape: torch.Size = ONE) -> tuple[Tensor, list[Layer]]:
    if hasattr(distribution, "rsample_and_layers"):
        return distribution.rsample_and_layers(shape)
    z, log_q = sample_and_log_prob(distribution, shape)
    return z, [Layer(distribution, z, log_q, 0)]


def _check_size(part: td.Distribution, size: int, sizes: tuple[int, int], which: str) -> None:
    if part.event_shape != (size,):
        raise ValueError(
            f"sizes must be how many dimensions the top and the bottom part have, and is {tuple(sizes)} where the "
            f"one that is drawn {which} has {part.event_shape.numel()}"
        )
