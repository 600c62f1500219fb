"""What is refused before anything is averaged: data without a density, and numbers that are none, by their datum."""

from __future__ import annotations

import torch
import torch.distributions as td
from torch import Tensor, nn

from vaecourse.distributions import with_tensors
from vaecourse.likelihoods import check_support
from vaecourse.model import LatentVariableModel
from vaecourse.randomness import seeded


def checked_prior(model: LatentVariableModel, x: Tensor) -> td.Distribution:
    """p(z), called once because it may run a network, if the likelihood scores the data.

    Raises:
        ValueError: x has no batch axis, or a value to which the likelihood gives no density.
    """
    pz = model.prior()
    with seeded(0, x.device):  # the check's own noise
        check_support(model.likelihood(pz.sample((1,))), x)
    return pz


def check_finite(values: Tensor, what: str, model: nn.Module) -> None:
    """Refuse values with a NaN or an infinity among them, and name the weights that are to blame, if any are.

    Args:
        values: one row per datum, [B, ...].
        what: what they are, in the words of the sentence, such as "the mean of q(z|x)".
        model: whose parameters are looked at.

    Raises:
        ValueError: with the first such datum, and the first parameter with such a value.
    """
    finite = values.isfinite()
    if not bool(finite.all()):
        datum, bad = int((~finite).nonzero()[0, 0]), values[~finite][0].item()
        raise ValueError(f"{what} is {bad:g} at datum {datum}, {_why(model)}")


def check_parameters(distribution: td.Distribution, what: str, model: nn.Module) -> None:
    """Refuse a distribution with a NaN among its parameters, of which some samplers make a riddle of their own.

    Raises:
        ValueError: with the first weights of the model that are not finite.
    """
    wild = []
    with_tensors(distribution, lambda value: wild.append(value.isnan().any()) or value)
    if any(wild):
        raise ValueError(f"{what} has parameters that are not a number, {_why(model)}")


def _why(model: nn.Module) -> str:
    tensors = model.state_dict().items()
    wild = (name for name, value in tensors if value.is_floating_point() and not bool(torch.isfinite(value).all()))
    name = next(wild, None)
    return "although all weights are finite" if name is None else f"because the weights {name} are not all finite"
