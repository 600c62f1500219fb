"""Averages over data with their standard errors."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from vaecourse.evaluation.refusals import checked_prior
from vaecourse.model import LatentVariableModel


def mean_and_se(values: Tensor) -> tuple[float, float]:
    """Mean over data and its standard error, in the unit of the values.

    Args:
        values: one number per datum, [N]; for two methods on the same data, pass the paired differences.
    """
    values = values.double()
    return values.mean().item(), (values.std() / math.sqrt(len(values))).item()


@torch.no_grad()
def mean_bound(model: LatentVariableModel, bound, x: Tensor, batch_size: int = 1000) -> tuple[float, float]:
    """A bound over a data set: its mean and the standard error over data, in nats per datum.

    Args:
        model: the model.
        bound: a function ``(model, x) -> [B]`` in nats, such as ``estimators.pathwise``.
        x: data of shape [N, D], one realisation of the protocol.
        batch_size: how many data are scored at once.

    Returns:
        Mean and standard error of the mean (the spread over data, the Monte-Carlo noise of the bound included).

    Raises:
        ValueError: x has no batch axis, or a value to which the likelihood gives no density.
    """
    checked_prior(model, x)
    values = torch.cat([bound(model, part) for part in x.split(batch_size)])
    return mean_and_se(values)
