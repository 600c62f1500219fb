"""Kernels that know more than the target's slope: proposals from a fixed distribution, and mixtures of kernels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
import torch.distributions as td
from torch import Tensor

from vaecourse.mcmc.kernel import Info, Kernel, LogDensity, State, start, with_gradient, without_gradient
from vaecourse.mcmc.metropolis import accept


def independence(log_density: LogDensity, proposal: td.Distribution, gradient: bool = False) -> Kernel:
    r"""Independence Metropolis-Hastings: every proposal is a fresh draw from the same q, wherever the chain is.

    .. math:: \text{ratio} = \frac{p(z')\, q(z)}{p(z)\, q(z')} = \frac{w(z')}{w(z)}

    A chain moves at once to wherever q sends it, and stays for long where its own weight p / q is large. Where q has
    no mass it never goes: a high acceptance says that q resembles the target *where q is*.

    Args:
        log_density: maps positions [..., L] to the log-density of each chain [...], in nats up to a constant.
        proposal: q, whose batch shape [B...] is the last part of the chains' shape; event shape [L].
        gradient: whether its states carry the gradient of log_density, for :func:`mixed` with a kernel that needs it.

    Returns:
        The kernel; a step costs one density. With a generator the proposals follow a seed that is drawn from it.

    References:
        Hastings (1970); Tierney (1994), section 2.3.3; de Freitas et al. (2001) for q from variational inference.

    Example:
        >>> target = lambda z: -0.5 * z.square().sum(-1)
        >>> kernel = independence(target, td.Independent(td.Normal(torch.zeros(2), 1.0), 1))
        >>> state, info = kernel.step(kernel.init(torch.zeros(100, 2)))
        >>> bool(info.accepted.all())
        True
    """
    size = proposal.batch_shape
    evaluate = with_gradient if gradient else without_gradient

    def init(position: Tensor) -> State:
        leading = position.shape[:-1]
        if leading[len(leading) - len(size) :] != size:
            raise ValueError(
                f"position must be [..., L] whose leading shape ends with the proposal's batch, {list(size)}, "
                f"and has shape {list(position.shape)}"
            )
        return start(evaluate, log_density, position)

    def step(state: State, generator: torch.Generator | None = None) -> tuple[State, Info]:
        leading = state.position.shape[:-1]
        with _seeded(generator):
            z = proposal.sample(leading[: len(leading) - len(size)])
        there = evaluate(log_density, z)
        with torch.no_grad():
            log_w = [s.log_density - proposal.log_prob(s.position) for s in (state, there)]
        return accept(state, there, log_w[1] - log_w[0], generator, cost=(1, int(gradient)))

    return Kernel(init, step)


def mixed(kernels: Sequence[Kernel], weights: Sequence[float]) -> Kernel:
    """A mixture of kernels: at every step one of them is chosen at random, and moves all chains.

    The choice does not look at where the chains are, so that what every part leaves invariant the mixture does. One
    part may make rare long moves and another frequent short ones.

    Args:
        kernels: at least two, of one target, whose states are alike: all with a gradient or none.
        weights: with which probability each is chosen; positive, and they sum to one.

    Returns:
        The kernel; a step costs what the chosen one does.

    Raises:
        ValueError: kernels and weights are not equally many, or the weights are no probabilities.

    References:
        Tierney (1994), section 2.4; de Freitas et al. (2001), section 3.

    Example:
        >>> from vaecourse.mcmc import hmc
        >>> target = lambda z: -0.5 * z.square().sum(-1)
        >>> fresh = independence(target, td.Independent(td.Normal(torch.zeros(2), 2.0), 1), gradient=True)
        >>> kernel = mixed([fresh, hmc(target, 0.5, 3)], [0.2, 0.8])
        >>> kernel.step(kernel.init(torch.zeros(100, 2)))[0].position.shape
        torch.Size([100, 2])
    """
    kernels, weights = list(kernels), [float(weight) for weight in weights]
    if len(kernels) < 2 or len(kernels) != len(weights):
        raise ValueError(f"kernels must be at least two, with a weight each; got {len(kernels)} and {len(weights)}")
    if min(weights) <= 0 or abs(sum(weights) - 1) > 1e-6:
        raise ValueError(f"weights must be positive and sum to one, and are {weights}")

    def step(state: State, generator: torch.Generator | None = None) -> tuple[State, Info]:
        shares = torch.tensor(weights, device=None if generator is None else generator.device)
        chosen = torch.multinomial(shares, 1, generator=generator).item()
        return kernels[chosen].step(state, generator)

    return Kernel(kernels[0].init, step)


@contextmanager
def _seeded(generator: torch.Generator | None) -> Iterator[None]:
    """Let distributions, which take no generator, draw from a stream that begins at a seed of the generator's."""
    if generator is None:
        yield
        return
    seed = int(torch.randint(2**62, (), generator=generator, device=generator.device))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield
