"""The path from a start to the joint density, and chains that are annealed along it, forward or in reverse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
import torch.distributions as td
from torch import Tensor

from vaecourse.distributions import Conditional, log_prob, sample_and_log_prob
from vaecourse.evaluation.estimate import check_log_weights
from vaecourse.mcmc import Kernel, State, hmc
from vaecourse.model import LatentVariableModel

Start = Literal["prior", "posterior"] | Conditional
Schedule = Literal["sigmoid", "linear"] | Tensor
MakeKernel = Callable[[Callable[[Tensor], Tensor], Tensor], Kernel]  # (log_density, step_size) -> kernel

STEEPNESS = 4.0  # of the sigmoid schedule, as Wu et al. (2017) take it


def temperatures(schedule: Schedule, num_steps: int) -> Tensor:
    r"""Inverse temperatures :math:`0 = \beta_0 < \dots < \beta_T = 1`, [T + 1], float64.

    Args:
        schedule: "sigmoid", dense at both ends; "linear"; or a tensor of T + 1 inverse temperatures.
        num_steps: number T of steps; a tensor brings its own.

    Raises:
        ValueError: there is no such schedule, or it does not rise from 0 to 1.
    """
    if num_steps < 1:
        raise ValueError(f"num_steps must be at least 1, and is {num_steps}")
    if isinstance(schedule, Tensor):
        betas = schedule.detach().cpu().double()
        rising = betas.ndim == 1 and len(betas) > 1 and bool((betas.diff() > 0).all())
        if not (rising and betas[0] == 0 and betas[-1] == 1):
            raise ValueError(f"schedule must rise from 0 to 1, and is {schedule.tolist()}")
        return betas
    even = torch.linspace(0, 1, num_steps + 1, dtype=torch.float64)
    if schedule == "linear":
        return even
    if schedule == "sigmoid":
        curve = torch.tanh(0.5 * STEEPNESS * (2 * even - 1))  # up to scale and shift the sigmoid, exactly odd
        betas = 0.5 + 0.5 * curve / curve[-1]
        betas[0], betas[-1] = 0, 1
        return betas
    raise ValueError(f'schedule must be "sigmoid", "linear" or a tensor, and is {schedule!r}')


class Path:
    r"""The densities :math:`\log \pi_\beta(z) = (1 - \beta) \log q_0(z) + \beta \log p(x, z)` of some data.

    Args:
        model: the model.
        x: data [b, D].
        start: what q0 is: "prior", "posterior", or a conditional on x.
        pz: the prior's distribution.
        first: number of the first of these data, for what errors say.

    Raises:
        ValueError: start is none of these, or the model has no posterior to start from.
    """

    def __init__(self, model: LatentVariableModel, x: Tensor, start: Start, pz: td.Distribution, first: int = 0):
        self.model = model
        self.x = x
        self.pz = pz
        self.first = first
        self.from_prior = isinstance(start, str) and start == "prior"
        if self.from_prior:
            self.q0 = pz
        elif isinstance(start, Conditional):
            self.q0 = LatentVariableModel(model.prior, model.likelihood, start).qz_x(x)
        elif start == "posterior":
            self.q0 = model.qz_x(x)
        else:
            raise ValueError(f'start must be "prior", "posterior" or a conditional on x, and is {start!r}')

    def draw(self, num_chains: int) -> tuple[Tensor, Tensor]:
        """Samples of q0, [S, b, L], and their log-density, [S, b]."""
        shape = (num_chains, len(self.x)) if self.from_prior else (num_chains,)
        try:
            return sample_and_log_prob(self.q0, shape)
        except NotImplementedError as error:
            raise self._without_density() from error

    def log_q0(self, z: Tensor) -> Tensor:
        """log q0(z), [S, b], in nats."""
        try:
            return log_prob(self.q0, z)
        except NotImplementedError as error:
            raise self._without_density() from error

    def log_ratio(self, z: Tensor, log_q0: Tensor) -> Tensor:
        """log p(x, z) - log q0(z), [S, b], in nats."""
        log_px_z = self.model.log_likelihood(self.x, z)
        return log_px_z if self.from_prior else log_px_z + log_prob(self.pz, z) - log_q0

    def _without_density(self) -> ValueError:
        kind = type(self.q0).__name__
        return ValueError(f"start must have a density wherever chains may go, and {kind} has none")


class Tempered:
    """log pi_beta of a path as a target for kernels; it remembers the log-ratio where it was asked last."""

    def __init__(self, path: Path, beta: float):
        self.path = path
        self.beta = beta

    def __call__(self, z: Tensor) -> Tensor:
        """log pi_beta(z) in nats up to a constant, [S, b]."""
        log_q0 = self.path.log_q0(z)
        log_ratio = self.path.log_ratio(z, log_q0)
        self.log_ratio = log_ratio.detach()
        return log_q0 + self.beta * log_ratio

    def start(self, kernel: Kernel, z: Tensor) -> State:
        """The state of chains at z; where the kernel cannot start, the datum whose weight is the reason is named."""
        try:
            return kernel.init(z)
        except ValueError:
            check_log_weights(self.path.log_ratio(z, self.path.log_q0(z)), self.path.first)
            raise


def anneal(
    path: Path,
    z: Tensor,
    betas: Tensor,
    step_sizes: Tensor,
    make_kernel: MakeKernel,
    *,
    reverse: bool = False,
    log_q0: Tensor | None = None,
    progress: Callable[[], object] = lambda: None,
) -> tuple[Tensor, int]:
    r"""The log-weights of chains along a path.

    .. math:: \log w = \sum_{t=1}^T (\beta_t - \beta_{t-1}) \big(\log p(x, z_{t-1}) - \log q_0(z_{t-1})\big)

    Forward, z_0 is given, and a kernel that keeps pi at beta_t leads from z_(t-1) to z_t. In reverse z_(T-1) is given,
    and the same kernels, which are reversible, lead back in the opposite order. Randomness is torch's own.

    Args:
        path: of b data.
        z: where the chains start, [S, b, L]: samples of q0, or, in reverse, exact samples of p(z|x).
        betas: inverse temperatures [T + 1].
        step_sizes: of the kernels at beta_1 to beta_(T-1), [T - 1, b].
        make_kernel: the kernel of a density and a step size.
        reverse: go from p(z|x) to q0.
        log_q0: log q0(z), where it is known; some q0 know it of their own samples only.
        progress: called once a step.

    Returns:
        log w [S, b], float64 on the CPU, and how often each chain evaluated the decoder.
    """
    increments, inner = betas.diff().tolist(), betas[1:-1].tolist()
    if reverse:
        increments, inner, step_sizes = increments[::-1], inner[::-1], step_sizes.flip(0)
    log_w = torch.zeros(z.shape[:-1], dtype=torch.float64)  # summed on the CPU: not every accelerator has float64
    cost = 0
    for increment, beta, step_size in zip(increments, inner, step_sizes):
        target = Tempered(path, beta)
        kernel = make_kernel(target, step_size)
        state = target.start(kernel, z)
        log_w += increment * target.log_ratio.cpu().double()
        state, info = kernel.step(state)
        z, log_q0 = state.position, None
        cost += 1 + int(info.num_densities)
        progress()
    log_ratio = path.log_ratio(z, path.log_q0(z) if log_q0 is None else log_q0)
    progress()
    return log_w + increments[-1] * log_ratio.cpu().double(), cost + 1


def hmc_kernels(pz: td.Distribution, num_leapfrog: int) -> MakeKernel:
    """Hamiltonian kernels, for a z that has gradients.

    Raises:
        ValueError: z is discrete.
    """
    try:
        discrete = pz.support.is_discrete
    except NotImplementedError:  # it says nothing of its support
        discrete = False
    if discrete:
        kind = type(pz.base_dist if isinstance(pz, td.Independent) else pz).__name__
        raise ValueError(f"hmc needs a continuous z, and that of {kind} is discrete: pass make_kernel, or num_steps=1")
    return lambda log_density, step_size: hmc(log_density, step_size, num_leapfrog)
