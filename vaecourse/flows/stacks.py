"""Stacks of bijectors as the papers build them: what alternates from layer to layer, and in which order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from vaecourse.flows.autoregressive import Autoregressive
from vaecourse.flows.bijector import Bijector
from vaecourse.flows.coupling import Coupling
from vaecourse.flows.elementwise import Shift
from vaecourse.flows.inverse import Inverse
from vaecourse.flows.permutation import Permutation
from vaecourse.flows.sigmoids import Sigmoids


def real_nvp(dim: int, hidden: Sequence[int], num_layers: int, **options: Any) -> list[Bijector]:
    """Couplings with a shift and a scale, which move the second and the first part in turns.

    Args:
        dim: number L of coordinates, at least 2.
        hidden: sizes of the hidden layers of each network.
        num_layers: number K of couplings; with two every coordinate has moved.
        options: of :class:`~vaecourse.flows.Coupling`, such as ``num_context``.

    Returns:
        The layers from the base to the variable, for :class:`~vaecourse.flows.Flow`.

    References:
        Dinh, Sohl-Dickstein & Bengio (2017), Density estimation using real NVP, section 3.5.

    Example:
        >>> from vaecourse.flows import Flow
        >>> from vaecourse.priors import StandardNormal
        >>> Flow(StandardNormal(4), *real_nvp(4, (16,), num_layers=4))().sample((7,)).shape
        torch.Size([7, 4])
    """
    check_num_layers(num_layers)
    return [Coupling(dim, hidden, moves=("second", "first")[k % 2], **options) for k in range(num_layers)]


def nice(dim: int, hidden: Sequence[int], num_layers: int, **options: Any) -> list[Bijector]:
    """Couplings with a shift alone: :func:`real_nvp` that keeps volumes. Arguments and result as there.

    References:
        Dinh, Krueger & Bengio (2015), NICE, section 3.
    """
    return real_nvp(dim, hidden, num_layers, elementwise=Shift(), **options)


def iaf(dim: int, hidden: Sequence[int], num_layers: int, **options: Any) -> list[Bijector]:
    """Autoregressive steps with the order reversed between them: samples in one pass a layer.

    The number of reversals is even, so that the stack starts as the identity and a latent keeps its name. Its own
    samples have their density for free; that of a foreign point takes L steps a layer.

    Args:
        dim: number L of coordinates.
        hidden: sizes of the hidden layers of each network.
        num_layers: number K of steps.
        options: of :class:`~vaecourse.flows.Autoregressive`, such as ``num_context`` or ``elementwise=Gate()``.

    Returns:
        The layers from the base to the variable, for :class:`~vaecourse.flows.Flow`.

    References:
        Kingma et al. (2016), Improved variational inference with inverse autoregressive flow, algorithm 1.
    """
    return _with_reversals(lambda: Autoregressive(dim, hidden, **options), dim, num_layers)


def maf(dim: int, hidden: Sequence[int], num_layers: int, **options: Any) -> list[Bijector]:
    """The steps of :func:`iaf` read backwards: densities in one pass a layer, samples in L. Arguments as there.

    References:
        Papamakarios, Pavlakou & Murray (2017), Masked autoregressive flow for density estimation, section 3.
    """
    return _with_reversals(lambda: Inverse(Autoregressive(dim, hidden, **options)), dim, num_layers)


def naf(dim: int, hidden: Sequence[int], num_layers: int, num_sigmoids: int = 8, **options: Any) -> list[Bijector]:
    """:func:`iaf` with :class:`~vaecourse.flows.Sigmoids` in place of a scale and a shift.

    The other direction, for the density of data, is ``[Inverse(layer) for layer in naf(...)]``: one pass a layer for a
    density, and for a sample L steps with a bisection in each.

    Args:
        dim: number L of coordinates.
        hidden: sizes of the hidden layers of each network.
        num_layers: number K of steps.
        num_sigmoids: in each curve.
        options: of :class:`~vaecourse.flows.Autoregressive`, such as ``num_context``.

    Returns:
        The layers from the base to the variable, for :class:`~vaecourse.flows.Flow`.

    References:
        Huang, Krueger, Lacoste & Courville (2018), Neural autoregressive flows, section 3.
    """
    return _with_reversals(
        lambda: Autoregressive(dim, hidden, elementwise=Sigmoids(num_sigmoids), **options), dim, num_layers
    )


def _with_reversals(make: Callable[[], Bijector], dim: int, num_layers: int) -> list[Bijector]:
    check_num_layers(num_layers)
    layers: list[Bijector] = []
    for k in range(num_layers):
        layers += [make(), Permutation(dim)] if k < num_layers - 1 or num_layers % 2 == 0 else [make()]
    return layers


def check_num_layers(num_layers: int) -> None:
    """Refuse a stack of nothing."""
    if num_layers < 1:
        raise ValueError(f"num_layers must be at least 1, and is {num_layers}")
