"""Planar and radial steps of the course and of other libraries, for benchmarks/flows.py: a step, and its training.

Every contender has the same numbers of parameters, and returns the image with the log-determinant. Theirs have no
inverse, so that ours has nothing to be timed beside.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from vaecourse.flows import Planar, Radial

Call = Callable[[], object]


def course(sizes, radial: bool = False) -> tuple[nn.Module, Callable[[Tensor], object]]:
    """Our step."""
    step = (Radial if radial else Planar)(sizes.dim)
    return step, step.forward_and_log_det


def normflows(sizes, radial: bool = False) -> tuple[nn.Module, Callable[[Tensor], object]]:
    """Their step."""
    from normflows.flows import Planar as TheirPlanar
    from normflows.flows import Radial as TheirRadial

    step = (TheirRadial if radial else TheirPlanar)((sizes.dim,))
    return step, step


def pyro(sizes, radial: bool = False) -> tuple[nn.Module, Callable[[Tensor], object]]:
    """Their step, and the log-determinant that it has kept."""
    from pyro.distributions.transforms import Planar as TheirPlanar
    from pyro.distributions.transforms import Radial as TheirRadial

    step = (TheirRadial if radial else TheirPlanar)(sizes.dim)

    def call(z: Tensor) -> tuple[Tensor, Tensor]:
        x = z.clone()  # they remember the last input itself, and would return what they have remembered
        y = step(x)
        return y, step.log_abs_det_jacobian(x, y)

    return step, call


def _forward(contender, sizes, radial: bool) -> Call:
    _, call = contender(sizes, radial)
    z = sizes.noise
    return torch.no_grad()(lambda: call(z))


def _training(contender, sizes, radial: bool) -> Call:
    """A step of Adam up the mean log-determinant less half a square, as under a normal target."""
    step, call = contender(sizes, radial)
    optimiser, z = torch.optim.Adam(step.parameters(), lr=1e-3, fused=True), sizes.noise

    def update() -> None:
        optimiser.zero_grad()
        y, log_det = call(z)
        (0.5 * y.square().sum(-1) - log_det).mean().backward()
        optimiser.step()

    return update


CONTENDERS = {"vaecourse": course, "normflows": normflows, "pyro": pyro}
TASKS: dict[str, dict[str, Callable[..., Call]]] = {
    f"{'radial' if radial else 'planar'}, {word}": {
        name: lambda sizes, make=make, contender=contender, radial=radial: make(contender, sizes, radial)
        for name, contender in CONTENDERS.items()
    }
    for radial in (False, True)
    for word, make in (("forward", _forward), ("training", _training))
}
