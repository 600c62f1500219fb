"""Rung (a): a finite discrete latent, whose every state is visited."""

from __future__ import annotations

import torch
import torch.distributions as td
from torch import Tensor, nn

from vaecourse.distributions import Conditional
from vaecourse.exact.table import Table
from vaecourse.likelihoods import Bernoulli
from vaecourse.model import LatentVariableModel


def states(prior: td.Distribution) -> Tensor:
    """All states of z, [K, L]: one-hot vectors of a categorical, 2^L binary vectors of L independent Bernoullis."""
    if isinstance(prior, td.OneHotCategorical):
        return prior.enumerate_support(expand=False).flatten(0, -2)
    if isinstance(prior, td.Independent) and isinstance(prior.base_dist, td.Bernoulli):
        bits = torch.arange(2 ** prior.event_shape[0], device=prior.base_dist.probs.device)[:, None]
        bits = bits >> torch.arange(prior.event_shape[0], device=bits.device) & 1
        return bits.to(prior.base_dist.probs.dtype)
    raise ValueError(
        f"enumeration needs a prior with finitely many states, OneHotCategorical or Independent(Bernoulli, 1), "
        f"and got {prior}"
    )


def enumeration(model: LatentVariableModel, x: Tensor) -> Table:
    r"""log p(x) = log sum_z p(x, z) and the posterior, by visiting every state of z.

    Args:
        model: its prior is a ``OneHotCategorical`` or an ``Independent(Bernoulli, 1)``.
        x: data of shape [B, D].

    Returns:
        The :class:`Table` of the posterior, with log p(x) in nats. Exact up to float rounding.

    Example:
        >>> model = two_state()
        >>> table = enumeration(model, torch.ones(1, 1))
        >>> [round(p, 4) for p in table.log_mass.exp().flatten().tolist()], round(table.log_px.exp().item(), 4)
        ([0.75, 0.25], 0.4)
    """
    z = states(model.prior())  # [K, L]
    log_joint = model.log_joint(x, z[:, None, :])  # [K, B]
    log_px = log_joint.logsumexp(0)
    return Table(z, log_joint - log_px, log_px, 0.0)


class Categorical(Conditional):
    """A one-hot z with K states: a prior when called without context, and the same for every x when called with one.

    Args:
        probs: the K probabilities.
    """

    def __init__(self, probs: Tensor):
        super().__init__()
        self.logits = nn.Parameter(probs.log())

    def forward(self, c: Tensor | None = None) -> td.OneHotCategorical:
        """The distribution with event shape [K], repeated over the batch of the context."""
        logits = self.logits if c is None else self.logits.expand(len(c), -1)
        return td.OneHotCategorical(logits=logits)


def two_state(q: tuple[float, float] = (0.5, 0.5), dtype: torch.dtype = torch.float64) -> LatentVariableModel:
    r"""The two-state model in which everything is a fraction: p(x=1, z) = (0.3, 0.1).

    The prior is uniform and p(x=1|z) = (0.6, 0.2), so p(x=1) = 0.4 and p(z|x=1) = (3/4, 1/4).

    Args:
        q: the approximate posterior's two probabilities, the same for every x.
        dtype: of all parameters.

    Returns:
        A model of a single binary x, shape [B, 1], with a one-hot z, shape [S, B, 2].
    """
    decoder = nn.Linear(2, 1, bias=False, dtype=dtype)
    with torch.no_grad():
        decoder.weight.copy_(torch.tensor([[0.6, 0.2]], dtype=dtype).logit())
    return LatentVariableModel(
        Categorical(torch.tensor([0.5, 0.5], dtype=dtype)),
        Bernoulli(decoder),
        Categorical(torch.tensor(q, dtype=dtype)),
    )
