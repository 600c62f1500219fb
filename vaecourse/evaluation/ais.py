"""Annealed importance sampling: log p(x) from chains that walk from the prior, or from q, to the posterior."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.distributions as td
from torch import Tensor
from tqdm import tqdm

from vaecourse.evaluation.adaptation import adapt_path
from vaecourse.evaluation.annealing import (
    MakeKernel,
    Path,
    Schedule,
    Start,
    anneal,
    hmc_kernels,
    temperatures,
)
from vaecourse.evaluation.estimate import LogLikelihood, from_log_weights
from vaecourse.evaluation.refusals import checked_prior
from vaecourse.model import LatentVariableModel
from vaecourse.randomness import key, seeded


@torch.no_grad()
def ais(
    model: LatentVariableModel,
    x: Tensor,
    num_steps: int = 100,
    num_chains: int = 16,
    *,
    start: Start = "prior",
    schedule: Schedule = "sigmoid",
    num_leapfrog: int = 10,
    make_kernel: MakeKernel | None = None,
    step_sizes: Tensor | float | None = None,
    target_acceptance: float = 0.8,
    seed: int = 0,
    chunk_size: int = 2000,
    progress: bool = False,
) -> LogLikelihood:
    r"""The estimate of log p(x) by annealed importance sampling.

    .. math::
        \log w = \sum_{t=1}^T (\beta_t - \beta_{t-1}) \log \frac{p(x, z_{t-1})}{q_0(z_{t-1})}, \qquad
        \log \pi_\beta(z) = (1 - \beta) \log q_0(z) + \beta \log p(x, z)

    Each chain starts at a sample of q0, and at every inverse temperature a kernel that keeps :math:`\pi_{\beta_t}`
    invariant moves it, so that it is led to the posterior in small steps. Whatever the kernels mix,
    :math:`\mathbb E\, w = p(x)`: the logarithm of their mean is a stochastic lower bound, and
    :math:`P(\log\hat p > \log p + b) \le e^{-b}`. With T = 1 no kernel is called, and this is importance sampling.

    That holds for kernels that are fixed beforehand. A step size that looks at its own chain makes a transition that no
    longer keeps :math:`\pi_\beta`, and the mean weight is then something else than p(x). Step sizes are therefore found
    by :func:`adapt_path`, on chains of their own with a seed of their own, and held constant here.

    Args:
        model: the model.
        x: data of shape [B, D], one realisation of the protocol.
        num_steps: number T of steps from beta = 0 to 1.
        num_chains: number S of chains per datum, all in parallel.
        start: what q0 is: "prior", "posterior" for q(z|x), or a conditional on x. From the prior chains can find modes
            that q lacks; from a good q they have a shorter way.
        schedule: "sigmoid", "linear", or T + 1 inverse temperatures (num_steps is then theirs).
        num_leapfrog: leapfrog steps of a Hamiltonian trajectory.
        make_kernel: another kernel for ``(log_density, step_size)``, such as ``mcmc.mala``; reversible, for
            :func:`bidirectional` to be right.
        step_sizes: of :func:`adapt_path`, [T - 1, B], or one number; None to find them first.
        target_acceptance: what they are adapted to: 0.65 is best for HMC in many dimensions (and what Wu et al. take),
            0.8 safer in few.
        seed: of the chains and the adaptation; the caller's random state is not changed.
        chunk_size: how many (chain, datum) pairs are moved at once; it bounds the memory.
        progress: show a bar over the data.

    Returns:
        The :class:`LogLikelihood` over the chains' weights, float64 on the CPU; its cost has that of the adaptation,
        where it was done here.

    Raises:
        ValueError: an argument is out of its range, z is discrete, the target has no gradient, start has no density, or
            a weight is not a number.

    References:
        Neal (2001); Wu, Burda, Salakhutdinov & Grosse (2017) for variational autoencoders.

    Example:
        >>> from vaecourse.exact import linear_gaussian, linear_gaussian_marginal
        >>> model = linear_gaussian(torch.tensor([[1.0], [0.5]]), torch.zeros(2), scale=0.5)
        >>> x = torch.tensor([[2.0, 1.0]])
        >>> estimate = ais(model, x, num_steps=30, num_chains=100)
        >>> bool((estimate.log_px - linear_gaussian_marginal(model).log_prob(x)).abs() < 0.1)
        True
    """
    run = Run(
        model,
        x,
        num_steps=num_steps,
        start=start,
        schedule=schedule,
        num_leapfrog=num_leapfrog,
        make_kernel=make_kernel,
        step_sizes=step_sizes,
        target_acceptance=target_acceptance,
        seed=seed,
        chunk_size=chunk_size,
        progress=progress,
    ).prepared()
    return run.estimate(*run.forward(num_chains))


class Run(NamedTuple):
    """What :func:`ais` was told; once :meth:`prepared`, forward and reverse chains alike can be run."""

    model: LatentVariableModel
    x: Tensor
    num_steps: int = 100
    start: Start = "prior"
    schedule: Schedule = "sigmoid"  # prepared: [T + 1]
    num_leapfrog: int = 10
    make_kernel: MakeKernel | None = None
    step_sizes: Tensor | float | None = None  # prepared: [T - 1, B]
    target_acceptance: float = 0.8
    seed: int = 0
    chunk_size: int = 2000
    progress: bool = False
    pz: td.Distribution | None = None
    cost: int = 0  # of the adaptation

    def prepared(self) -> Run:
        """The same with everything found that was left open: temperatures, prior, kernels and their step sizes."""
        if self.chunk_size < 1:
            raise ValueError(f"chunk_size must be at least 1, and is {self.chunk_size}")
        betas, pz = temperatures(self.schedule, self.num_steps), checked_prior(self.model, self.x)
        make_kernel, step_sizes, cost = self.make_kernel, self.step_sizes, 0
        if len(betas) > 2:
            make_kernel = make_kernel or hmc_kernels(pz, self.num_leapfrog)
        if step_sizes is None:
            step_sizes, _, cost = adapt_path(
                self.model,
                self.x,
                start=self.start,
                schedule=betas,
                make_kernel=make_kernel,
                target_acceptance=self.target_acceptance,
                seed=self.seed,
                chunk_size=self.chunk_size,
                progress=self.progress,
            )
        step_sizes = _one_each(step_sizes, len(betas) - 2, len(self.x))
        return self._replace(schedule=betas, make_kernel=make_kernel, step_sizes=step_sizes, pz=pz, cost=cost)

    def forward(self, num_chains: int) -> tuple[Tensor, int]:
        """Log-weights of chains from q0, [S, B], and what each chain cost."""
        if num_chains < 1:
            raise ValueError(f"num_chains must be at least 1, and is {num_chains}")
        return self._anneal("forward", num_chains)

    def reverse(self, z: Tensor) -> tuple[Tensor, int]:
        """Log-weights of one chain from an exact posterior sample z [B, L] of each datum, [1, B], and its cost."""
        return self._anneal("reverse", 1, z)

    def estimate(self, log_w: Tensor, cost: int) -> LogLikelihood:
        """The estimate from the weights [S, B] of chains of which each cost so much."""
        return from_log_weights(log_w, len(log_w) * cost + self.cost)

    def _anneal(self, direction: str, num_chains: int, exact: Tensor | None = None) -> tuple[Tensor, int]:
        at_once = min(num_chains, self.chunk_size)
        groups = [min(at_once, num_chains - first) for first in range(0, num_chains, at_once)]
        places = torch.arange(len(self.x)).split(max(1, self.chunk_size // at_once))
        total, columns = len(places) * len(groups) * (len(self.schedule) - 1), []
        with (
            seeded(key(self.seed, direction), self.x.device),
            tqdm(total=total, disable=not self.progress, unit="step", leave=False) as bar,
        ):
            for rows in places:
                path = Path(self.model, self.x[rows], self.start, self.pz, int(rows[0]))
                log_w = []
                for size in groups:
                    z, log_q0 = path.draw(size) if exact is None else (exact[None, rows], None)
                    result, cost = anneal(
                        path,
                        z,
                        self.schedule,
                        self.step_sizes[:, rows],
                        self.make_kernel,
                        reverse=exact is not None,
                        log_q0=log_q0,
                        progress=bar.update,
                    )
                    log_w.append(result)
                columns.append(torch.cat(log_w))
        return torch.cat(columns, 1), cost


def _one_each(step_sizes: Tensor | float, num_kernels: int, num_data: int) -> Tensor:
    """Step sizes [T - 1, B] from what was given."""
    step_sizes = torch.as_tensor(step_sizes)
    if step_sizes.ndim and step_sizes.shape not in ((num_kernels, num_data), (num_kernels, 1)):
        raise ValueError(
            f"step_sizes must be a number, or [{num_kernels}, {num_data}] or [{num_kernels}, 1] for kernels and data, "
            f"and have shape {list(step_sizes.shape)}"
        )
    if not bool((step_sizes > 0).all()):
        raise ValueError(f"step_sizes must be positive, and the least is {step_sizes.min():.4g}")
    return step_sizes.expand(num_kernels, num_data)
