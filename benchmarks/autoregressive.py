"""Autoregressive steps of the course and of other libraries, for benchmarks/flows.py: both directions of each.

Every contender has the same layers of masked weights. zuko's neural step is a monotonic network, where ours and Pyro's
are sums of sigmoids: it is timed as what its users would take instead.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from vaecourse.flows import Autoregressive, Flow, Inverse, Sigmoids
from vaecourse.priors import StandardNormal

NUM_SIGMOIDS = 8
Call = Callable[[], object]


def _without_gradient(call: Call) -> Call:
    return torch.no_grad()(call)


# ------------------------------------------------------------------------------------------------ the course


def course(sizes, neural: bool = False) -> Autoregressive:
    """Our step."""
    return Autoregressive(sizes.dim, sizes.hidden, elementwise=Sigmoids(NUM_SIGMOIDS) if neural else None)


def course_fast(sizes, neural: bool = False) -> Call:
    """The direction of one pass, with the log-determinant: samples of an IAF, densities of a MAF."""
    step, z = course(sizes, neural), sizes.noise
    return _without_gradient(lambda: step.forward_and_log_det(z))


def course_slow(sizes, neural: bool = False) -> Call:
    """The direction of L steps: samples of a MAF, densities of foreign points under an IAF."""
    step = course(sizes, neural)
    y, _ = step.forward_and_log_det(sizes.noise)
    y = y.detach()
    return _without_gradient(lambda: step.inverse_and_log_det(y))


def course_training(sizes, neural: bool = False) -> Call:
    """A step of Adam up a MAF's log-density."""
    flow, y = Flow(StandardNormal(sizes.dim), Inverse(course(sizes, neural))), sizes.noise
    return _training(flow, lambda: flow().log_prob(y))


# ------------------------------------------------------------------------------------------------ zuko


def zuko(sizes, neural: bool = False) -> nn.Module:
    """Their masked step, affine or neural."""
    from zuko.flows import MaskedAutoregressiveTransform
    from zuko.flows.neural import MNN

    options = {"hidden_features": sizes.hidden, "activation": nn.Tanh}
    if not neural:
        return MaskedAutoregressiveTransform(sizes.dim, 0, **options)
    return MaskedAutoregressiveTransform(
        sizes.dim, 0, univariate=MNN(signal=16, hidden_features=(NUM_SIGMOIDS,)), shapes=[(16,)], **options
    )


def zuko_fast(sizes, neural: bool = False) -> Call:
    """One pass."""
    step, y = zuko(sizes, neural), sizes.noise
    return _without_gradient(lambda: step().call_and_ladj(y))


def zuko_slow(sizes, neural: bool = False) -> Call:
    """As many passes as coordinates."""
    step, noise = zuko(sizes, neural), sizes.noise
    return _without_gradient(lambda: step().inv.call_and_ladj(noise))


# ------------------------------------------------------------------------------------------------ nflows


def nflows(sizes) -> nn.Module:
    """Their masked step, whose hidden layers are of one size."""
    from nflows.transforms import MaskedAffineAutoregressiveTransform

    options = {"num_blocks": len(sizes.hidden) - 1, "use_residual_blocks": False, "activation": torch.tanh}
    return MaskedAffineAutoregressiveTransform(sizes.dim, sizes.hidden[0], **options)


def nflows_fast(sizes) -> Call:
    """One pass."""
    step, y = nflows(sizes), sizes.noise
    return _without_gradient(lambda: step(y))


def nflows_slow(sizes) -> Call:
    """As many passes as coordinates."""
    step, noise = nflows(sizes), sizes.noise
    return _without_gradient(lambda: step.inverse(noise))


# ------------------------------------------------------------------------------------------------ Pyro


def pyro(sizes, neural: bool = False) -> nn.Module:
    """Their inverse autoregressive step; the neural one has no inverse."""
    from pyro.distributions.transforms import AffineAutoregressive, NeuralAutoregressive
    from pyro.nn import AutoRegressiveNN

    params = [NUM_SIGMOIDS] * 3 if neural else [1, 1]
    net = AutoRegressiveNN(
        sizes.dim, list(sizes.hidden), params, permutation=torch.arange(sizes.dim), nonlinearity=nn.Tanh()
    )
    return NeuralAutoregressive(net, NUM_SIGMOIDS) if neural else AffineAutoregressive(net)


def pyro_fast(sizes, neural: bool = False) -> Call:
    """One pass, and the log-determinant that it has kept."""
    step, z = pyro(sizes, neural), sizes.noise

    def call() -> object:
        x = z.clone()  # they remember the last input itself, and would return what they have remembered
        return step.log_abs_det_jacobian(x, step(x))

    return _without_gradient(call)


def pyro_slow(sizes) -> Call:
    """As many passes as coordinates."""
    step, noise = pyro(sizes), sizes.noise
    return _without_gradient(lambda: step._inverse(noise))


def _training(flow: nn.Module, log_prob: Callable[[], torch.Tensor]) -> Call:
    optimiser = torch.optim.Adam(flow.parameters(), lr=1e-3, fused=True)

    def step() -> None:
        optimiser.zero_grad()
        (-log_prob().mean()).backward()
        optimiser.step()

    return step


def zuko_training(sizes, neural: bool = False) -> Call:
    """A step of Adam up a MAF's log-density."""
    from zuko.distributions import DiagNormal
    from zuko.flows import Flow as TheirFlow
    from zuko.flows import UnconditionalDistribution

    base = UnconditionalDistribution(DiagNormal, torch.zeros(sizes.dim), torch.ones(sizes.dim), buffer=True)
    flow, y = TheirFlow([zuko(sizes, neural)], base), sizes.noise
    return _training(flow, lambda: flow().log_prob(y))


def nflows_training(sizes) -> Call:
    """A step of Adam up a MAF's log-density."""
    from nflows.distributions import StandardNormal as Base
    from nflows.flows import Flow as TheirFlow

    flow, y = TheirFlow(nflows(sizes), Base([sizes.dim])), sizes.noise
    return _training(flow, lambda: flow.log_prob(y))


def neural(make: Callable[..., Call]) -> Callable[..., Call]:
    """The same with curves in place of scales."""
    return lambda sizes: make(sizes, True)


TASKS: dict[str, dict[str, Callable[..., Call]]] = {
    "affine, one pass": {"vaecourse": course_fast, "nflows": nflows_fast, "zuko": zuko_fast, "pyro": pyro_fast},
    "affine, L steps": {"vaecourse": course_slow, "nflows": nflows_slow, "zuko": zuko_slow, "pyro": pyro_slow},
    "affine, training": {"vaecourse": course_training, "nflows": nflows_training, "zuko": zuko_training},
    "neural, one pass": {"vaecourse": neural(course_fast), "zuko": neural(zuko_fast), "pyro": neural(pyro_fast)},
    "neural, L steps": {"vaecourse": neural(course_slow), "zuko": neural(zuko_slow)},
    "neural, training": {"vaecourse": neural(course_training), "zuko": neural(zuko_training)},
}
