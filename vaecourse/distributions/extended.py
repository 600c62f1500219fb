"""A q(z) without a density: what is left of a joint q(a, z) when a is not looked at, with a model of a in its place."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
import torch.distributions as td
from torch import Tensor

from vaecourse.distributions.conditional import Conditional
from vaecourse.distributions.sampling import log_prob, sample_and_log_prob

ONE = torch.Size()


class ExtendedDistribution(td.Distribution):
    r"""The marginal :math:`q(z) = \int q(a, z)\, da` of a joint distribution, with a *reverse model* r(a|z) of a.

    Its density is an integral, and a sample carries in its place

    .. math:: \log q(a, z) - \log r(a|z), \qquad
              E_q\Big[\log \frac{p(x, z)\, r(a|z)}{q(a, z)}\Big]
              = \mathcal L(q) - E_q\, \mathrm{KL}\big(q(a|z)\,\|\,r(a|z)\big)

    so that the ``elbo`` of a draw is a bound below that of q itself, by what r does not know of a; and the weights of a
    draw have the mean p(x) whatever r is, where r > 0. The reverse model's parameters get their gradient from the same
    bound.

    Args:
        joint: q(a, z), batch shape [B], event shape [A + L]: the auxiliary part first.
        reverse: r(a|z), called with z [..., L] and then with the context.
        num_auxiliary: number A of auxiliary dimensions.
        context: what the reverse model reads besides z, each [B, ...].

    Raises:
        ValueError: num_auxiliary leaves none for a or for z.

    References:
        Agakov & Barber (2004); Ranganath, Tran & Blei (2016), section 2; Maaløe et al. (2016).
    """

    arg_constraints: ClassVar = {}
    support = td.constraints.real_vector
    has_reverse = True  # its log-density has parameters that belong to the bound as the model's do, and not to q

    def __init__(
        self, joint: td.Distribution, reverse: Conditional, num_auxiliary: int, context: tuple[Tensor, ...] = ()
    ):
        size = joint.event_shape.numel()
        if not 0 < num_auxiliary < size:
            raise ValueError(f"num_auxiliary must be between 1 and {size - 1}, and is {num_auxiliary}")
        self.joint = joint
        self.reverse = reverse
        self.num_auxiliary = num_auxiliary
        self.context = tuple(context)
        super().__init__(joint.batch_shape, torch.Size([size - num_auxiliary]), validate_args=False)

    @property
    def has_rsample(self) -> bool:
        """Whether the joint distribution can be reparameterised."""
        return self.joint.has_rsample

    def rsample_and_log_prob(self, shape: torch.Size = ONE) -> tuple[Tensor, Tensor]:
        """Samples z [*shape, B, L] with log q(a, z) - log r(a|z), [*shape, B], in nats."""
        return self._scored(*sample_and_log_prob(self.joint, tuple(shape)))

    def rsample_and_path_log_prob(self, shape: torch.Size = ONE) -> tuple[Tensor, Tensor]:
        """The same, with the parameters of q(a, z) held constant in its density, and those of r(a|z) live."""
        return self._scored(*sample_and_log_prob(self.joint, tuple(shape), through="sample"))

    def rsample(self, sample_shape: torch.Size = ONE) -> Tensor:
        """Samples whose gradient reaches the joint distribution."""
        return self.joint.rsample(torch.Size(sample_shape))[..., self.num_auxiliary :]

    @torch.no_grad()
    def sample(self, sample_shape: torch.Size = ONE) -> Tensor:
        """Samples of the marginal q(z), without a gradient."""
        return self.joint.sample(torch.Size(sample_shape))[..., self.num_auxiliary :]

    def log_prob(self, value: Tensor) -> Tensor:
        """Refused: the density of the marginal is an integral over a."""
        raise NotImplementedError(
            "an extended distribution has no density in closed form: a draw carries log q(a, z) - log r(a|z) in its "
            "place; log_prob_estimate samples the integral"
        )

    @torch.no_grad()
    def log_prob_estimate(self, value: Tensor, num_samples: int = 100) -> Tensor:
        r"""The logarithm of an unbiased estimate of q(z), by importance sampling with r(a|z), [..., B], in nats.

        Args:
            value: z, [..., B, L].
            num_samples: over how many samples of a the density of each value is averaged.
        """
        if num_samples < 1:
            raise ValueError(f"num_samples must be at least 1, and is {num_samples}")
        r = self.reverse(value, *self.context)
        a = r.sample((num_samples,))
        z = value.expand(*a.shape[:-1], -1)
        log_ratio = log_prob(self.joint, torch.cat([a, z], -1)) - log_prob(r, a)
        return log_ratio.logsumexp(0) - math.log(num_samples)

    def _scored(self, both: Tensor, log_q: Tensor) -> tuple[Tensor, Tensor]:
        a, z = both.split([self.num_auxiliary, self.event_shape.numel()], -1)
        return z, log_q - log_prob(self.reverse(z, *self.context), a)
