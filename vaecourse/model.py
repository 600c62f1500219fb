"""The model and the draw: three slots, and samples of the third with their three log-densities."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.distributions as td
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from vaecourse.distributions import Conditional, rsample_and_log_prob


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
        posterior: q(z|x), a conditional on x; None where every draw brings its own q.

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

    def __init__(self, prior: Conditional, likelihood: Conditional, posterior: Conditional | None = None):
        super().__init__()
        self.prior = prior
        self.likelihood = likelihood
        self.posterior = posterior

    def log_joint(self, x: Tensor, z: Tensor) -> Tensor:
        """log p(x, z) in nats, of shape [S, B], for x [B, D] and z [S, B, L]."""
        return self.prior().log_prob(z) + self.likelihood(z).log_prob(x)

    def log_likelihood(self, x: Tensor, z: Tensor, chunk_size: int | None = None) -> Tensor:
        """log p(x|z) in nats, of shape [S, B], with a bound on the memory it takes.

        Args:
            x: data of shape [B, D].
            z: latents of shape [S, B, L].
            chunk_size: decode at most so many (sample, datum) pairs at once; None for all. Where a gradient is wanted,
                a chunk's activations are not kept but computed again on the way back (about a third more time). Values
                and gradients are the same up to rounding, unless the likelihood looks at its whole batch (batch
                normalisation) or is random itself (dropout).
        """
        if chunk_size is not None and chunk_size < 1:
            raise ValueError(f"chunk_size must be at least 1, or None, and is {chunk_size}")
        num_samples, num_data = len(z), len(x)
        if chunk_size is None or num_samples * num_data <= chunk_size:
            return self.likelihood(z).log_prob(x)
        z = z.expand(-1, num_data, -1)
        rows = []
        for some in z.split(max(1, chunk_size // num_data)):  # whole rows of samples, or, if one is too long, its parts
            parts = zip(x.split(chunk_size), some.split(chunk_size, 1))
            rows.append(torch.cat([self._log_likelihood_of_chunk(x_part, z_part) for x_part, z_part in parts], 1))
        return torch.cat(rows)

    def _log_likelihood_of_chunk(self, x: Tensor, z: Tensor) -> Tensor:
        if not torch.is_grad_enabled():
            return self.likelihood(z).log_prob(x)
        return checkpoint(lambda x, z: self.likelihood(z).log_prob(x), x, z, use_reentrant=False)

    def draw(
        self,
        x: Tensor,
        num_samples: int = 1,
        q: td.Distribution | None = None,
        chunk_size: int | None = None,
    ) -> Draw:
        """Samples z ~ q(z|x) with their densities.

        Samples are reparameterised where q can be, so that gradients reach its parameters through z.

        Args:
            x: data of shape [B, D].
            num_samples: number S of samples per datum.
            q: a distribution over z with batch shape [B] to use in place of ``posterior(x)``.
            chunk_size: as for :meth:`log_likelihood`; the samples themselves are drawn in one call whatever it is.

        Returns:
            A :class:`Draw` of S samples per datum.
        """
        if num_samples < 1:
            raise ValueError(f"num_samples must be at least 1, and is {num_samples}")
        q = self._q(x) if q is None else q
        with torch.autocast(x.device.type, enabled=False):  # what rounds networks shall not round samples or densities
            if not q.has_rsample:
                z = q.sample((num_samples,))
                log_qz_x = q.log_prob(z)
            elif chunk_size is None or hasattr(q, "rsample_and_log_prob"):
                z, log_qz_x = rsample_and_log_prob(q, (num_samples,))
            else:
                z = q.rsample((num_samples,))
                log_qz_x = _in_rows(q.log_prob, z, chunk_size)
        return self.score(x, z, log_qz_x, chunk_size)

    def score(self, x: Tensor, z: Tensor, log_qz_x: Tensor, chunk_size: int | None = None) -> Draw:
        """The draw of given samples z [S, B, L] whose log q(z|x) [S, B] is known; for chunk_size see log_likelihood."""
        return Draw(z, self.log_likelihood(x, z, chunk_size), _in_rows(self.prior().log_prob, z, chunk_size), log_qz_x)

    def sample(self, num_samples: int) -> Tensor:
        """Ancestral samples: z from the prior, then x from the likelihood, of shape [N, D]."""
        return self.likelihood(self.prior().sample((num_samples,))).sample()

    def _q(self, x: Tensor) -> td.Distribution:
        if self.posterior is None:
            raise ValueError("this model has no posterior: pass the distribution to draw from as q")
        return self.posterior(x)


def _in_rows(log_prob: Callable[[Tensor], Tensor], z: Tensor, chunk_size: int | None) -> Tensor:
    """log_prob(z), [S, B], for as many rows of samples at a time as chunk_size allows; see `log_likelihood`."""
    num_samples, num_data = z.shape[:2]
    if chunk_size is None or num_samples * num_data <= chunk_size:
        return log_prob(z)
    rows = z.split(max(1, chunk_size // num_data))
    if torch.is_grad_enabled():
        return torch.cat([checkpoint(log_prob, some, use_reentrant=False, preserve_rng_state=False) for some in rows])
    return torch.cat([log_prob(some) for some in rows])
