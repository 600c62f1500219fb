"""ELBO surgery: the average KL, split into what z tells of which datum it is and how far q(z) is from the prior."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd
import torch
import torch.distributions as td
from torch import Tensor

from vaecourse.evaluation.aggregate import few_states, in_float64, sampled_averages, summed_averages
from vaecourse.evaluation.averages import mean_and_se
from vaecourse.evaluation.refusals import check_parameters
from vaecourse.likelihoods import check_support
from vaecourse.model import LatentVariableModel
from vaecourse.randomness import key, seeded


class Term(NamedTuple):
    """A mean over data and its standard error (over data, the Monte-Carlo noise included), in nats."""

    mean: float
    se: float


@dataclass(frozen=True)
class Surgery:
    r"""The average KL of N data, split at the aggregate posterior :math:`q(z) = \frac1N \sum_n q(z|x_n)`.

    .. math:: \underbrace{\frac1N \sum_n \mathrm{KL}(q(z|x_n) \,\|\, p(z))}_{\text{average KL}}
              = \underbrace{\frac1N \sum_n \mathrm{KL}(q(z|x_n) \,\|\, q(z))}_{\text{mutual information of } z
              \text{ and } n} + \underbrace{\mathrm{KL}(q(z) \,\|\, p(z))}_{\text{marginal KL}}

    For the N data it is an identity. For the distribution that they come from it is not: the mutual information of z
    and x may be any number, that of z and the index n is at most log N, and what it misses is booked as marginal KL.
    :attr:`bias` measures how much.

    Attributes:
        log_q: per datum, the mean over its q of log q(z|x_n), [N].
        log_aggregate: the same of log q(z).
        log_half: the same of the aggregate posterior of that half of the data to which n belongs.
        log_prior: the same of log p(z).

    References:
        Hoffman & Johnson (2016), ELBO surgery: yet another way to carve up the variational evidence lower bound.
    """

    log_q: Tensor
    log_aggregate: Tensor
    log_half: Tensor
    log_prior: Tensor

    @property
    def average_kl(self) -> Term:
        """The rate, as the samples have it; in expectation the average of KL(q(z|x) || p(z))."""
        return Term(*mean_and_se(self.log_q - self.log_prior))

    @property
    def mutual_information(self) -> Term:
        """Of z and the index of the datum, between 0 and :attr:`ceiling`."""
        return Term(*mean_and_se(self.log_q - self.log_aggregate))

    @property
    def marginal_kl(self) -> Term:
        """Of q(z) from the prior."""
        return Term(*mean_and_se(self.log_aggregate - self.log_prior))

    @property
    def bias(self) -> Term:
        r"""What the number of data takes from the mutual information: the value at N/2 less that at N, below 0.

        Where the error falls as 1/N, that from N to infinity is as large as that from N/2 to N; where it does not yet,
        it is larger. The difference is (less) the Jensen-Shannon divergence between the aggregate posteriors of the
        two halves, a random split, which lies between 0, where half the data fill q(z) as well as all, and log 2, where
        no place is reached from both.
        """
        return Term(*mean_and_se(self.log_aggregate - self.log_half))

    @property
    def ceiling(self) -> float:
        """log N, which no mutual information with one of N data exceeds."""
        return math.log(len(self.log_q))

    @property
    def saturated(self) -> bool:
        """Whether the number of data decides the mutual information: it gains a quarter of log 2 when N doubles.

        The growth is asked and not the distance to log N, because at half of log N it may still be most of log 2.
        The quarter is a choice. Linear-Gaussian models of 2 to 16 latents, whose information is known, place it: with
        N = 1,000 data it is where the estimate misses a third of a nat, about twice of what :attr:`bias` says.
        """
        return -self.bias.mean > math.log(2) / 4

    @property
    def statement(self) -> str:
        """One sentence on how far to trust the mutual information."""
        number = f"{self.mutual_information.mean:.2f} nats (s.e. {self.mutual_information.se:.2f})"
        growth, size = -self.bias.mean, len(self.log_q)
        if self.saturated:
            return (
                f"The mutual information, {number}, is saturated: N = {size} data allow log N = {self.ceiling:.2f} at "
                f"most, and it still grew by {growth:.2f} of a possible {math.log(2):.2f} from N/2 to N, so that the "
                f"true one may be any number above it, and the marginal KL is too large by what is missing."
            )
        return (
            f"The mutual information, {number}, is not saturated: log N = {self.ceiling:.2f}, and it grew by "
            f"{growth:.3f} of a possible {math.log(2):.2f} from N/2 to N."
        )

    def table(self) -> pd.DataFrame:
        """Mean over data and its standard error of the three terms and the bias."""
        rows = {
            "average KL": self.average_kl,
            "mutual information": self.mutual_information,
            "marginal KL": self.marginal_kl,
            "bias in N": self.bias,
        }
        return pd.DataFrame.from_dict(rows, orient="index", columns=["mean", "se"])

    def __str__(self) -> str:
        """The identity in numbers, and the statement."""
        kl, information, marginal = self.average_kl, self.mutual_information, self.marginal_kl
        return f"{kl.mean:.4f} = {information.mean:.4f} + {marginal.mean:.4f} nats. {self.statement}"


@torch.no_grad()
def elbo_surgery(
    model: LatentVariableModel, x: Tensor, num_samples: int = 8, chunk_size: int = 1_000_000, seed: int = 0
) -> Surgery:
    """Estimate mutual information and marginal KL from samples of every datum's q, scored under the q of every other.

    All N^2 num_samples densities are needed, in float64: for a diagonal Gaussian they are matrix products. A finite
    latent of up to 4,096 states is summed over instead, and the identity is then exact for these data.

    Args:
        model: a model whose q(z|x) has a density.
        x: data of shape [N, D], at least two.
        num_samples: number S of samples per datum.
        chunk_size: how many (sample, datum) pairs are scored at once; it bounds the memory, not the result's law.
        seed: of the samples and of the split into halves; the caller's random state is not changed.

    Returns:
        The :class:`Surgery`.

    Raises:
        ValueError: q has no density, or parameters that are not a number; there are fewer than two data, or some to
            which the likelihood gives no density.

    Example:
        >>> from vaecourse.exact import frozen_vae
        >>> surgery = elbo_surgery(frozen_vae(), torch.eye(64).double())
        >>> surgery.mutual_information.mean < surgery.ceiling
        True
    """
    for name, value in (("num_samples", num_samples), ("chunk_size", chunk_size)):
        if value < 1:
            raise ValueError(f"{name} must be at least 1, and is {value}")
    if len(x) < 2:
        raise ValueError(f"x must hold at least two data, of which z tells one; got {list(x.shape)}")
    seed = key(seed, "surgery")  # or a caller's data of the same seed would be made of the noise of the samples
    with seeded(seed, x.device):
        pz = model.prior()
        check_parameters(pz, "p(z)", model)
        check_support(model.likelihood(pz.sample((1,))), x)
        q = _q_of(model, x, torch.arange(1))
        _refuse_without_density(q)
    z = few_states(q)
    size = math.isqrt(chunk_size) if z is None else max(1, chunk_size // len(z))
    with seeded(seed, torch.device("cpu")):
        shuffled = torch.randperm(len(x))
        parts = tuple([_q_of(model, x, rows) for rows in half.split(size)] for half in shuffled.tensor_split(2))
        pz = in_float64(pz)
        columns = sampled_averages(parts, pz, num_samples) if z is None else summed_averages(parts, pz, z)
    return Surgery(*(column[shuffled.argsort()] for column in columns))


def _q_of(model: LatentVariableModel, x: Tensor, rows: Tensor) -> td.Distribution:
    q = model.qz_x(x[rows.to(x.device)])
    check_parameters(q, "q(z|x)", model)
    return in_float64(q)


def _refuse_without_density(q: td.Distribution) -> None:
    try:
        q.log_prob(q.sample())
    except NotImplementedError:
        raise ValueError(f"elbo_surgery needs a q(z|x) with a density, and {type(q).__name__} has none") from None
