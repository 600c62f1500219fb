"""Discrete conditionals that serve in more than one slot: binary variables, and one of K states written one-hot."""

from __future__ import annotations

import torch
import torch.distributions as td
from torch import Tensor, nn

from vaecourse.distributions.conditional import Conditional, full_precision


class FactorisedBernoulli(Conditional):
    r"""Independent binary variables, :math:`p(z|c) = \prod_l \mathrm{Bern}(z_l; \sigma(a_l))`.

    Args:
        logits: a, either a network from the context [..., C] to [..., L], as for a posterior, or a tensor [L] from
            which they are learned, as for a prior; then they are the same in every context.
    """

    def __init__(self, logits: nn.Module | Tensor):
        super().__init__()
        self.logits = _learned(logits)

    def forward(self, c: Tensor | None = None) -> td.Independent:
        """The distribution with event shape [L], and the context's batch shape."""
        return td.Independent(td.Bernoulli(logits=_logits_at(self.logits, c), validate_args=False), 1)


class OneHotCategorical(td.OneHotCategorical):
    """``td.OneHotCategorical`` without a check of its arguments, which torch makes of its inner part whatever one says.

    The check reads a number back from the device, for which a GPU has to be waited for in every step.
    """

    def __init__(self, logits: Tensor):
        self._categorical = td.Categorical(logits=logits, validate_args=False)
        shape = self._categorical.batch_shape, self._categorical.param_shape[-1:]
        td.Distribution.__init__(self, *shape, validate_args=False)

    def expand(self, batch_shape: torch.Size, _instance: None = None) -> OneHotCategorical:
        """The same distribution for every place of a batch."""
        return OneHotCategorical(self.logits.expand(*batch_shape, -1))


class Levels(td.Categorical):
    """``td.Categorical`` for data: its samples are of the logits' dtype, as data are, and its arguments unchecked.

    Args:
        logits: of the levels 0, ..., K - 1, [..., K].
    """

    def __init__(self, logits: Tensor):
        super().__init__(logits=logits, validate_args=False)

    def expand(self, batch_shape: torch.Size, _instance: None = None) -> Levels:
        """The same distribution for every place of a batch."""
        return Levels(self.logits.expand(*batch_shape, -1))

    @property
    def mean(self) -> Tensor:
        """The mean of the levels as numbers, [...]."""
        return self.probs @ torch.arange(self.probs.shape[-1], dtype=self.probs.dtype, device=self.probs.device)

    def sample(self, sample_shape: torch.Size = torch.Size()) -> Tensor:  # noqa: B008
        """Levels, of shape [*sample_shape, ...]."""
        return super().sample(sample_shape).to(self.logits.dtype)


class Categorical(Conditional):
    r"""One of K states, written one-hot: :math:`p(z = e_k|c) = \mathrm{softmax}(a)_k`.

    Args:
        logits: a, either a network from the context [..., C] to [..., K], or a tensor [K] from which they are learned;
            the logarithms of probabilities will do.

    Example:
        >>> import torch
        >>> prior = Categorical(torch.tensor([0.2, 0.8]).log())
        >>> prior().probs, prior(torch.zeros(3, 5)).probs.shape
        (tensor([0.2000, 0.8000], grad_fn=...), torch.Size([3, 2]))
    """

    def __init__(self, logits: nn.Module | Tensor):
        super().__init__()
        self.logits = _learned(logits)

    def forward(self, c: Tensor | None = None) -> td.OneHotCategorical:
        """The distribution with event shape [K], and the context's batch shape."""
        return OneHotCategorical(_logits_at(self.logits, c))


def states(distribution: td.Distribution) -> Tensor | None:
    """All states of z, [K, L]: one-hot vectors of a categorical, 2^L binary vectors of L independent Bernoullis.

    None for any other distribution.
    """
    if isinstance(distribution, td.OneHotCategorical):
        return distribution.enumerate_support(expand=False).flatten(0, -2)
    if isinstance(distribution, td.Independent) and isinstance(distribution.base_dist, td.Bernoulli):
        bits = torch.arange(2 ** distribution.event_shape[0], device=distribution.base_dist.probs.device)[:, None]
        bits = bits >> torch.arange(distribution.event_shape[0], device=bits.device) & 1
        return bits.to(distribution.base_dist.probs.dtype)
    return None


def _learned(logits: nn.Module | Tensor) -> nn.Module | nn.Parameter:
    if isinstance(logits, nn.Module):
        return logits
    if not (isinstance(logits, Tensor) and logits.is_floating_point() and logits.ndim == 1):
        raise ValueError(f"logits must be a network or a tensor of real numbers, [L], and is {logits!r}")
    return nn.Parameter(logits.clone())


def _logits_at(logits: nn.Module | nn.Parameter, c: Tensor | None) -> Tensor:
    if isinstance(logits, nn.Module):
        return full_precision(logits(c))
    return logits if c is None else logits.expand(*c.shape[:-1], -1)
