"""Hamiltonian variational inference: a posterior that ends with a few leapfrog steps under the model's own density."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
import torch.distributions as td
from torch import Tensor, nn

from vaecourse.distributions import Conditional, ExtendedDistribution, log_prob, sample_and_log_prob
from vaecourse.mcmc import leapfrog, with_gradient
from vaecourse.model import LatentVariableModel
from vaecourse.priors import StandardNormal

ONE = torch.Size()


class Hamiltonian(Conditional):
    r"""A sample of q_0, a random momentum, and T leapfrog steps up and down :math:`\log p(x, z)`.

    .. math:: z_0 \sim q_0(z|x), \quad r_0 \sim \mathcal N(0, I), \qquad (z_T, r_T) = \Phi^T(z_0, r_0)

    Leapfrog keeps volumes, so that the joint density of the end is that of the start, :math:`q_0(z_0) \mathcal N(r_0)`.
    The momentum at the end is the auxiliary variable of an :class:`~vaecourse.distributions.ExtendedDistribution`; what
    it was at the end is guessed by a reverse model r(r_T|z_T, x). No step is rejected: with the momentum in the bound
    the trajectory needs no correction. The step size is learned with the rest.

    Args:
        posterior: :math:`q_0(z|x)`, reparameterised.
        joint: the model's own prior and likelihood, as ``LatentVariableModel(prior, likelihood)`` without posterior.
        num_leapfrog: T, the number of steps; each costs an evaluation of the decoder with its gradient, and one more
            is needed at the start.
        step_size: epsilon at the start of training, positive.
        reverse: r(r|z, x), called with z [..., L] and x [B, D]; a standard normal, if none is given.

    Raises:
        ValueError: the joint model has a posterior, num_leapfrog is below 1, or step_size is not positive.

    References:
        Salimans, Kingma & Welling (2015), section 3; Neal (2011) for the leapfrog rule.
    """

    def __init__(
        self,
        posterior: Conditional,
        joint: LatentVariableModel,
        num_leapfrog: int,
        step_size: float = 0.1,
        reverse: Conditional | None = None,
    ):
        super().__init__()
        if joint.posterior is not None:
            raise ValueError("joint must be a model without posterior, LatentVariableModel(prior, likelihood), has one")
        if num_leapfrog < 1:
            raise ValueError(f"num_leapfrog must be at least 1, and is {num_leapfrog}")
        if not 0 < step_size < math.inf:
            raise ValueError(f"step_size must be positive, and is {step_size}")
        self.posterior = posterior
        self.joint = joint
        self.num_leapfrog = num_leapfrog
        self.log_step = nn.Parameter(torch.tensor(math.log(step_size)))
        self.reverse = StandardMomentum() if reverse is None else reverse

    @property
    def num_evaluations(self) -> int:
        """Evaluations of the decoder with its gradient that a sample costs; none of its bound's."""
        return self.num_leapfrog + 1

    def forward(self, c: Tensor) -> ExtendedDistribution:
        """The distribution of z_T, event shape [L], given x of shape [B, D]."""
        q = self.posterior(c)
        trajectory = Trajectory(q, self.joint, c, self.log_step.exp(), self.num_leapfrog)
        return ExtendedDistribution(trajectory, self.reverse, q.event_shape.numel(), (c,))


class Trajectory(td.Distribution):
    """The end (r_T, z_T), event shape [2 L], of leapfrog steps that begin at a sample of q with a fresh momentum.

    Its density is known at any point: the steps, run with the momentum turned round, lead back to where they began.
    """

    arg_constraints: ClassVar = {}
    support = td.constraints.real_vector

    def __init__(self, q: td.Distribution, joint: LatentVariableModel, x: Tensor, step_size: Tensor, num_leapfrog: int):
        self.q = q
        self.joint = joint
        self.x = x
        self.step_size = step_size
        self.num_leapfrog = num_leapfrog
        super().__init__(q.batch_shape, torch.Size([2 * q.event_shape.numel()]), validate_args=False)

    @property
    def has_rsample(self) -> bool:
        """Whether q can be reparameterised."""
        return self.q.has_rsample

    def rsample_and_log_prob(self, shape: torch.Size = ONE) -> tuple[Tensor, Tensor]:
        """The end of a trajectory [*shape, B, 2 L] and its log-density, that of the start, [*shape, B]."""
        z, log_q = sample_and_log_prob(self.q, tuple(shape))
        momentum = torch.randn_like(z)
        z, end = self._run(z, momentum)
        return torch.cat([end, z], -1), log_q + _log_normal(momentum)

    def rsample(self, sample_shape: torch.Size = ONE) -> Tensor:
        """The end of a trajectory, with a gradient into q, the step size and the model."""
        return self.rsample_and_log_prob(torch.Size(sample_shape))[0]

    @torch.no_grad()
    def sample(self, sample_shape: torch.Size = ONE) -> Tensor:
        """The end of a trajectory, without a gradient."""
        return self.rsample(sample_shape)

    def log_prob(self, value: Tensor) -> Tensor:
        """The log-density at (r_T, z_T) in nats: back along the trajectory, and the density of its start."""
        end, z = value.chunk(2, -1)
        z, momentum = self._run(z, -end)
        return log_prob(self.q, z) + _log_normal(momentum)

    def _run(self, z: Tensor, momentum: Tensor) -> tuple[Tensor, Tensor]:
        live = torch.is_grad_enabled()
        state = with_gradient(self._log_joint, z, differentiable=live)
        state, momentum = leapfrog(self._log_joint, state, momentum, self.step_size, self.num_leapfrog, live)
        return state.position, momentum

    def _log_joint(self, z: Tensor) -> Tensor:
        return self.joint.log_joint(self.x, z.reshape(-1, *z.shape[-2:])).reshape(z.shape[:-1])


class StandardMomentum(Conditional):
    """A guess at the momentum that looks at nothing: what it was drawn from."""

    def forward(self, z: Tensor, x: Tensor) -> td.Independent:
        """N(0, I) for each z [..., L], whatever x is."""
        return StandardNormal(z.shape[-1]).to(z)().expand(z.shape[:-1])


def _log_normal(momentum: Tensor) -> Tensor:
    return -0.5 * (momentum.square() + math.log(2 * math.pi)).sum(-1)
