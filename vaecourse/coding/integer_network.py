"""A network whose outputs are the same numbers whatever the batch, the threads and the machine.

A sum of floating-point numbers depends on the order of its terms, and the order on how many rows a matrix has, how many
threads share it and which processor adds: the last digits differ, and for a decoder one digit is too many. Here weights
and activations are multiples of 2^-12. All products are then integers, in units of 2^-24, and as long as no sum can
reach 2^53, which is checked, float64 holds each of them exactly: in any order. Nonlinearities are looked up in tables
of integers that are made by :mod:`~vaecourse.coding.exact_functions`.
"""

from __future__ import annotations

import copy
import functools
import hashlib
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor, nn

from vaecourse.coding.exact_functions import sigmoid, tanh
from vaecourse.networks import MLP, Rescale

FRACTION = 12  # binary digits after the point
UNIT = 1 << FRACTION
LARGEST = 1 << 52  # float64 holds every integer below 2^53; half of that leaves room for the rounding of the bounds

Step = Callable[[np.ndarray], np.ndarray]
Bound = float | np.ndarray


def integers(values: Tensor | np.ndarray | float, fraction: int = FRACTION) -> np.ndarray:
    """Numbers rounded to multiples of 2^-fraction, as integers (held in float64, as all integers of this file are)."""
    if isinstance(values, Tensor):
        values = values.detach().cpu().double().numpy()
    return np.rint(np.asarray(values, np.float64) * 2.0**fraction)


class IntegerNetwork:
    """The integer version of an ``MLP``: its outputs are always the same, and near the original's.

    Weights and activations are rounded to 2^-12, which in layers of hundreds of units adds up to some 2^-9.

    Args:
        net: made of ``MLP``, ``Rescale``, ``nn.Sequential``, ``nn.Linear``, and the activations ``nn.Tanh``,
            ``nn.Sigmoid`` and ``nn.ReLU``.
        largest_input: no input is larger than this in absolute value.

    Raises:
        ValueError: the network has another kind of layer, which is named; or its weights are so large that sums may
            pass 2^52.

    Example:
        >>> net = nn.Sequential(Rescale(0.5, 0.5), nn.Linear(3, 2))
        >>> exact = IntegerNetwork(net, largest_input=1.0)
        >>> x = torch.tensor([[0.0, 1.0, 1.0]])
        >>> outputs = torch.from_numpy(exact(integers(x))) / UNIT
        >>> bool((outputs - net(x)).abs().max() < 2 / UNIT)
        True
    """

    def __init__(self, net: nn.Module, largest_input: float):
        self._steps: list[Step] = []
        self._hash = hashlib.sha256()
        bound: Bound = float(largest_input * UNIT)
        for layer in _layers(net):
            step, bound, *constants = _STEPS[type(layer)](layer, bound)
            self._steps.append(step)
            self._hash.update(type(layer).__name__.encode())
            for constant in constants:
                self._hash.update(constant.astype("<i8").tobytes())

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Inputs [B, in] to outputs [B, out], both in units of 2^-12."""
        for step in self._steps:
            x = step(x)
        return x

    @property
    def digest(self) -> bytes:
        """A hash of every integer that the outputs depend on."""
        return self._hash.digest()


def _layers(net: nn.Module) -> Iterator[nn.Module]:
    """The layers in the order in which they act."""
    if type(net) is MLP:
        yield from _layers(net.layers)
    elif type(net) is nn.Sequential:
        for part in net:
            yield from _layers(part)
    elif type(net) in _STEPS:
        yield net
    else:
        known = ", ".join(["MLP", "Sequential", *(kind.__name__ for kind in _STEPS)])
        raise ValueError(f"to be turned into integers a network must be made of {known}; it has a {type(net).__name__}")


def _rounded(sums: np.ndarray) -> np.ndarray:
    """From units of 2^-24 to units of 2^-12, halves up."""
    return np.floor(sums / UNIT + 0.5)


def _checked(bound: Bound, layer: nn.Module) -> Bound:
    if not np.max(bound) < LARGEST:
        raise ValueError(
            f"sums in {layer} may reach {np.max(bound):.3g} in units of 2^-{2 * FRACTION}, beyond the 2^52 up to which "
            "float64 is trusted to be exact: its weights are too large"
        )
    return bound / UNIT + 1


def _linear(layer: nn.Linear, bound: Bound) -> tuple:
    weight = integers(layer.weight).T.copy()
    bias = integers(0.0 if layer.bias is None else layer.bias, 2 * FRACTION)
    largest = _checked(np.broadcast_to(bound, len(weight)) @ np.abs(weight) + np.abs(bias), layer)
    return lambda x: _rounded(x @ weight + bias), largest, weight, bias


def _rescale(layer: Rescale, bound: Bound) -> tuple:
    factor, offset = integers(1 / layer.scale.double()), integers(-(layer.shift / layer.scale.double()), 2 * FRACTION)
    largest = _checked(bound * np.abs(factor) + np.abs(offset), layer)
    return lambda x: _rounded(x * factor + offset), largest, factor, offset


def _relu(layer: nn.ReLU, bound: Bound) -> tuple:
    return lambda x: np.maximum(x, 0.0), bound


def _by_table(function: Callable[[np.ndarray], np.ndarray]) -> Callable:
    """An activation with two plateaus, which it has reached to 2^-13 at -10 and 10."""

    @functools.cache
    def table() -> np.ndarray:
        return integers(function(np.arange(-10 * UNIT, 10 * UNIT + 1) / UNIT))

    def step(layer: nn.Module, bound: Bound) -> tuple:
        values = table()
        return lambda x: values[(np.clip(x, -10 * UNIT, 10 * UNIT) + 10 * UNIT).astype(np.int64)], float(UNIT), values

    return step


# For each kind of layer: the step, how large its outputs may be, and the integers in it.
_STEPS = {
    nn.Linear: _linear,
    Rescale: _rescale,
    nn.ReLU: _relu,
    nn.Tanh: _by_table(tanh),
    nn.Sigmoid: _by_table(sigmoid),
}


class FloatNetwork:
    """The network as it is, rounded only at the end: what one would write first, and what fails sooner or later.

    Args:
        net: any network.
        dtype: in which it computes.
    """

    def __init__(self, net: nn.Module, dtype: torch.dtype):
        self._net = copy.deepcopy(net).to("cpu", dtype).eval()
        self._dtype = dtype

    @torch.no_grad()
    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Inputs [B, in] to outputs [B, out], both in units of 2^-12."""
        return integers(self._net(torch.from_numpy(x / UNIT).to(self._dtype)))

    @property
    def digest(self) -> bytes:
        """A hash of the weights and of the number format."""
        tensors = [tensor.double().numpy().tobytes() for tensor in self._net.state_dict().values()]
        return hashlib.sha256(b"".join([str(self._dtype).encode(), *tensors])).digest()
