"""A flow as a conditional: over a standard normal a prior, over an encoder's Gaussian a posterior."""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.distributions as td
from torch import Tensor, nn

from vaecourse.distributions import Conditional, frozen, log_prob, sample_and_log_prob
from vaecourse.flows.bijector import Bijector

ONE = torch.Size()


class Flow(Conditional):
    r"""What a stack of bijectors makes of a base distribution, :math:`z = f_K \circ \dots \circ f_1(\epsilon)`.

    Args:
        base: the conditional of epsilon.
        bijectors: f_1 to f_K. They read the same context as the base; behind a
            :class:`~vaecourse.distributions.Given` it is the features of a network that all of them share.

    References:
        Rezende & Mohamed (2015), section 3.
    """

    def __init__(self, base: Conditional, *bijectors: Bijector):
        super().__init__()
        self.base = base
        self.bijectors = nn.ModuleList(bijectors)

    def forward(self, c: Tensor | None = None) -> FlowDistribution:
        """The distribution given the context, event shape [L]."""
        return FlowDistribution(self.base(c), self.bijectors, c)


class FlowDistribution(td.Distribution):
    """A base distribution and the bijectors that its samples go through.

    Raises:
        ValueError: the base is discrete, which leaves no density to stretch, or not of vectors.
    """

    arg_constraints: ClassVar = {}
    support = td.constraints.real_vector

    def __init__(self, base: td.Distribution, bijectors: nn.ModuleList, context: Tensor | None = None):
        _check_base(base)
        self.base = base
        self.bijectors = bijectors
        self.context = context
        super().__init__(base.batch_shape, base.event_shape, validate_args=False)

    def expand(self, batch_shape: torch.Size, _instance: None = None) -> FlowDistribution:
        """The same distribution at every place of a batch."""
        return FlowDistribution(self.base.expand(batch_shape), self.bijectors, self.context)

    @property
    def has_rsample(self) -> bool:
        """Whether the base can be reparameterised."""
        return self.base.has_rsample

    def forward_and_log_det(self, noise: Tensor) -> tuple[Tensor, Tensor]:
        """epsilon [..., L] through all bijectors: z [..., L] and the log-determinant of the whole, [...]."""
        z, log_det = noise, noise.new_zeros(noise.shape[:-1])
        for bijector in self.bijectors:
            z, part = bijector(z, self.context)
            log_det = log_det + part
        return z, log_det

    def rsample_and_log_prob(self, shape: torch.Size = ONE) -> tuple[Tensor, Tensor]:
        """Samples z [*shape, ..., L] with their own log-density [*shape, ...] in nats; nothing has to be inverted."""
        noise, log_noise = sample_and_log_prob(self.base, shape)
        z, log_det = self.forward_and_log_det(noise)
        return z, log_noise - log_det

    def rsample_and_path_log_prob(self, shape: torch.Size = ONE) -> tuple[Tensor, Tensor]:
        r"""Samples with a density whose gradient goes through the sample alone; again without an inverse.

        The slope of log q at z follows from its slope along the noise, with J = dz/d epsilon on frozen copies:

        .. math:: J^\top\, \nabla_z \log q(z) = \nabla_\epsilon \log q(f(\epsilon))

        which costs L vector-Jacobian products and the solution of L equations for each sample.

        Returns:
            ``z`` [*shape, ..., L] and ``log q(z)`` [*shape, ...], in nats.
        """
        noise, log_noise = sample_and_log_prob(self.base, shape)
        z, log_det = self.forward_and_log_det(noise)
        still = frozen(self)
        with torch.enable_grad():
            leaf = noise.detach().requires_grad_()
            image, still_log_det = still.forward_and_log_det(leaf)
            log_q = log_prob(still.base, leaf) - still_log_det
            (slope,) = torch.autograd.grad(log_q.sum(), leaf, retain_graph=True)
            columns = [torch.autograd.grad(part.sum(), leaf, retain_graph=True)[0] for part in image.unbind(-1)]
        score = torch.linalg.solve(torch.stack(columns, -1), slope.unsqueeze(-1)).squeeze(-1)  # columns of J^T
        return z, (log_noise - log_det).detach() + (score * (z - z.detach())).sum(-1)

    def rsample(self, sample_shape: torch.Size = ONE) -> Tensor:
        """Samples whose gradient reaches the base and the bijectors."""
        return self.forward_and_log_det(self.base.rsample(torch.Size(sample_shape)))[0]

    @torch.no_grad()
    def sample(self, sample_shape: torch.Size = ONE) -> Tensor:
        """Samples without a gradient."""
        return self.forward_and_log_det(self.base.sample(torch.Size(sample_shape)))[0]

    def log_prob(self, value: Tensor) -> Tensor:
        """log q(z) in nats, through the inverses of the bijectors.

        Raises:
            NotImplementedError: one of them has none.
        """
        log_det = 0.0
        for bijector in reversed(self.bijectors):
            value, part = bijector(value, self.context, backwards=True)
            log_det = log_det + part
        return log_prob(self.base, value) + log_det


def _check_base(base: td.Distribution) -> None:
    if len(base.event_shape) != 1:
        raise ValueError(f"base must be of vectors, event shape [L], and its event shape is {list(base.event_shape)}")
    if base.support.is_discrete:
        raise ValueError(
            f"base must be continuous, because a bijector stretches a density, and {type(base).__name__} has "
            "probabilities, which a bijector would only rename"
        )
