"""The model and the draw: three slots, and samples of the third with their three log-densities."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.distributions as td
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from vaecourse.distributions import Conditional, log_prob, sample_and_log_prob
from vaecourse.distributions.sampling import Through


class Draw(NamedTuple):
    """S samples of z for each of B data, with everything a bound needs; log-densities in nats."""

    z: Tensor  # [S, B, L]
    log_px_z: Tensor  # [S, B]
    log_pz: Tensor  # [S, B]
    log_qz_x: Tensor  # [S, B]

    @property
    def log_w(self) -> Tensor:
        """The log importance weights, log p(x|z) + log p(z) - log q(z|x), of shape [S, B] in nats."""
        return self.log_px_z + self.log_pz - self.log_qz_x


class LatentVariableModel(nn.Module):
    r"""A latent-variable model :math:`p(x, z) = p(z)\,p(x|z)` with an approximate posterior :math:`q(z|x)`.

    Args:
        prior: p(z), a conditional without context.
        likelihood: p(x|z), a conditional on z.
        posterior: q(z|x), a conditional on x; None where every draw brings its own q, and in a model that is itself a
            part of a posterior (one that needs the joint density p(x, z) to refine its samples).
        chunk_size: decode at most so many (sample, datum) pairs at once, None for all; an attribute that may be set at
            any time. See :meth:`log_likelihood`.

    Example:
        >>> import torch
        >>> from vaecourse.likelihoods import Bernoulli
        >>> from vaecourse.networks import MLP
        >>> from vaecourse.posteriors import DiagonalGaussian
        >>> from vaecourse.priors import StandardNormal
        >>> model = LatentVariableModel(
        ...     StandardNormal(2), Bernoulli(MLP(2, (16,), 64)), DiagonalGaussian(MLP(64, (16,), 4)))
        >>> draw = model.draw(torch.zeros(10, 64), num_samples=5)
        >>> draw.z.shape, draw.log_w.shape
        (torch.Size([5, 10, 2]), torch.Size([5, 10]))
    """

    def __init__(
        self,
        prior: Conditional,
        likelihood: Conditional,
        posterior: Conditional | None = None,
        chunk_size: int | None = None,
    ):
        super().__init__()
        self.prior = prior
        self.likelihood = likelihood
        self.posterior = posterior
        self.chunk_size = chunk_size

    def qz_x(self, x: Tensor) -> td.Distribution:
        """q(z|x) of the posterior, batch shape [B], for x [B, D].

        Raises:
            ValueError: the model has no posterior, or it gives no distribution for each datum.
        """
        if self.posterior is None:
            raise ValueError("this model has no posterior: pass the distribution to draw from as q")
        return _one_per_datum(self.posterior(x), x)

    def log_joint(self, x: Tensor, z: Tensor) -> Tensor:
        """log p(x, z) in nats, of shape [S, B], for x [B, D] and z [S, B, L]."""
        return log_prob(self.prior(), z) + log_prob(self.likelihood(z), x)

    def log_likelihood(self, x: Tensor, z: Tensor) -> Tensor:
        """log p(x|z) in nats, of shape [S, B], in as much memory as ``chunk_size`` allows.

        Where a gradient is wanted, a chunk's activations are not kept but computed again on the way back (about a third
        more time). Values and gradients are the same up to rounding, unless the likelihood looks at its whole batch
        (batch normalisation) or is random itself (dropout).

        Args:
            x: data of shape [B, D].
            z: latents of shape [S, B, L].
        """
        num_samples, num_data, chunk_size = len(z), len(x), self.chunk_size
        if chunk_size is not None and chunk_size < 1:
            raise ValueError(f"chunk_size must be at least 1, or None, and is {chunk_size}")
        if chunk_size is None or num_samples * num_data <= chunk_size:
            return log_prob(self.likelihood(z), x)
        z = z.expand(-1, num_data, -1)
        rows = []
        for some in z.split(max(1, chunk_size // num_data)):  # whole rows of samples, or, if one is too long, its parts
            parts = zip(x.split(chunk_size), some.split(chunk_size, 1))
            rows.append(torch.cat([self._log_likelihood_of_chunk(x_part, z_part) for x_part, z_part in parts], 1))
        return torch.cat(rows)

    def _log_likelihood_of_chunk(self, x: Tensor, z: Tensor) -> Tensor:
        if not torch.is_grad_enabled():
            return log_prob(self.likelihood(z), x)
        return checkpoint(lambda x, z: log_prob(self.likelihood(z), x), x, z, use_reentrant=False)

    def draw(
        self,
        x: Tensor,
        num_samples: int = 1,
        q: td.Distribution | None = None,
        through: Through = "both",
        pz: td.Distribution | None = None,
    ) -> Draw:
        """Samples z ~ q(z|x) with their densities.

        Args:
            x: data of shape [B, D].
            num_samples: number S of samples per datum.
            q: a distribution over z with batch shape [B] to use in place of ``posterior(x)``.
            through: which way gradients reach q's parameters: through "both" the sample and its density (where q can be
                reparameterised), the "sample" or the "density" alone; see
                :func:`~vaecourse.distributions.sample_and_log_prob`.
            pz: the prior's distribution, where the caller has called ``prior()`` already (it may run a network).

        Returns:
            A :class:`Draw` of S samples per datum.
        """
        check_num_samples(num_samples)
        q = self.qz_x(x) if q is None else _one_per_datum(q, x)
        z, log_qz_x = sample_and_log_prob(q, (num_samples,), through)
        return self.score(x, z, log_qz_x, pz)

    def score(self, x: Tensor, z: Tensor, log_qz_x: Tensor, pz: td.Distribution | None = None) -> Draw:
        """The draw of given samples z [S, B, L] whose log q(z|x) [S, B] is known; for pz see :meth:`draw`."""
        return Draw(z, self.log_likelihood(x, z), log_prob(self.prior() if pz is None else pz, z), log_qz_x)

    def sample(self, num_samples: int) -> Tensor:
        """Ancestral samples: z from the prior, then x from the likelihood, of shape [N, D]."""
        return self.likelihood(self.prior().sample((num_samples,))).sample()


def check_num_samples(num_samples: int) -> None:
    """Refuse numbers of samples that are none: among them labels or an index that were handed on in their place."""
    if isinstance(num_samples, (bool, Tensor)) or not hasattr(num_samples, "__index__"):
        got = f"a tensor {list(num_samples.shape)}" if isinstance(num_samples, Tensor) else repr(num_samples)
        raise ValueError(f"num_samples must be a whole number, and is {got}: a bound gets model, x, labels and index")
    if num_samples < 1:
        raise ValueError(f"num_samples must be at least 1, and is {num_samples}")


def _one_per_datum(q: td.Distribution, x: Tensor) -> td.Distribution:
    """The q, if its batch is that of the data: with any other, samples and data would be taken for each other."""
    if q.batch_shape != x.shape[:1]:
        raise ValueError(
            f"q(z|x) must have batch shape [{len(x)}], one distribution per datum of x {list(x.shape)}, "
            f"and has {list(q.batch_shape)}"
        )
    return q
