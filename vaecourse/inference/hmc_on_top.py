"""MCMC on top of q: the decoder learns from samples that a few HMC steps have carried on from the encoder's."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vaecourse.distributions import frozen_module
from vaecourse.estimators.pathwise import smooth_q_and_prior
from vaecourse.estimators.surrogate import with_gradient_of
from vaecourse.mcmc import hmc
from vaecourse.model import LatentVariableModel
from vaecourse.objectives import elbo

ADAPTATION = 0.05  # how far a whole acceptance moves the logarithm of the step size


class HMCOnTop(nn.Module):
    r"""An estimator whose encoder climbs the bound, and whose decoder climbs log p(x, z) where HMC has carried z.

    .. math:: z_0 \sim q(z|x), \quad z_T = \text{HMC}^T(z_0), \qquad
              \nabla_\phi \mathcal L(x; \phi), \quad \nabla_\theta \log p_\theta(x, z_T)

    The second is the gradient of log p(x) at an approximate sample of the posterior, so that the decoder no longer
    learns to please q. The chain has no density, and nothing here bounds what the decoder climbs; the value is the
    bound of q. The step size adapts to an acceptance of 0.65 while the module is in training mode.

    Args:
        num_steps: T, steps of HMC for every sample.
        num_leapfrog: leapfrog steps in each.
        step_size: epsilon at the start, in units of z.

    Raises:
        ValueError: a number is below one, or step_size is not positive.

    References:
        Hoffman (2017), Learning deep latent Gaussian models with Markov chain Monte Carlo, sections 3.1 and 3.2.
    """

    def __init__(self, num_steps: int, num_leapfrog: int = 5, step_size: float = 0.1):
        super().__init__()
        for name, value in (("num_steps", num_steps), ("num_leapfrog", num_leapfrog)):
            if value < 1:
                raise ValueError(f"{name} must be at least 1, and is {value}")
        if not step_size > 0:
            raise ValueError(f"step_size must be positive, and is {step_size}")
        self.num_steps = num_steps
        self.num_leapfrog = num_leapfrog
        self.register_buffer("log_step", torch.tensor(step_size).log())

    @property
    def num_evaluations(self) -> int:
        """Evaluations of the decoder for one sample, those of the two bounds included."""
        return self.num_steps * self.num_leapfrog + 3

    def forward(self, model: LatentVariableModel, x: Tensor, num_samples: int = 1) -> Tensor:
        """The bound of q, [B], in nats, with the two gradients above."""
        q, _ = smooth_q_and_prior(model, x, num_samples, "HMCOnTop")
        still = LatentVariableModel(frozen_module(model.prior), frozen_module(model.likelihood), None, model.chunk_size)
        draw = still.draw(x, num_samples, q=q)
        bound = elbo(draw)
        if not torch.is_grad_enabled():
            return bound
        z = self.refined(still, x, draw.z.detach())
        return with_gradient_of(bound, bound + model.log_joint(x, z).mean(0))

    @torch.no_grad()
    def refined(self, model: LatentVariableModel, x: Tensor, z: Tensor) -> Tensor:
        """Samples z [S, B, L] after T steps of HMC under log p(x, z)."""
        kernel = hmc(lambda position: model.log_joint(x, position), self.log_step.exp(), self.num_leapfrog)
        state = kernel.init(z)
        for _ in range(self.num_steps):
            state, info = kernel.step(state)
            if self.training:
                self.log_step += ADAPTATION * (info.acceptance.mean() - 0.65)
        return state.position
