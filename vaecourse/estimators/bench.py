"""The gradient-variance bench: each estimator's bias, variance and time against an exact gradient."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call
from torch.overrides import TorchFunctionMode
from tqdm import tqdm

from vaecourse.model import LatentVariableModel
from vaecourse.randomness import seeded

Bound = Callable[[LatentVariableModel, Tensor], Tensor]

_ELEMENTS = 2**21  # of the gradients held at once: 16 MiB in float64


@dataclass(frozen=True)
class GradientStatistics:
    """What many draws of one estimator's gradient say; P coordinates, gradients of the sum over the data, in nats."""

    name: str
    exact: Tensor  # [P]
    mean: Tensor  # [P]
    variance: Tensor  # [P], of one draw
    num_draws: int
    seconds_per_draw: float

    @property
    def z_scores(self) -> Tensor:
        """How many standard errors the mean lies from the exact gradient, [P].

        A coordinate that does not scatter is no test: it has z-score 0 if it is right to rounding, and infinity if not.
        """
        error = self.mean - self.exact
        se = (self.variance / self.num_draws).sqrt()
        wrong = torch.where(error.abs() <= 1e-9 * self._scale, 0.0, error.sign() * math.inf)
        return torch.where(self._scatters, error / torch.where(self._scatters, se, 1.0), wrong)

    @property
    def num_tests(self) -> int:
        """The multiplicity: how many coordinates scatter, and so have a z-score that is a test."""
        return int(self._scatters.sum())

    @property
    def _scale(self) -> Tensor:
        return self.exact.abs().max().clamp_min(1.0)

    @property
    def _scatters(self) -> Tensor:
        return self.variance.sqrt() > 1e-12 * self._scale  # below that, the scatter is rounding

    @property
    def max_abs_z(self) -> float:
        """The largest |z| of all coordinates."""
        return self.z_scores.abs().max().item()

    @property
    def threshold(self) -> float:
        """The |z| that an unbiased estimator's largest exceeds with probability at most 1e-3 (Bonferroni)."""
        tail = torch.tensor(5e-4 / max(self.num_tests, 1), dtype=torch.float64)
        return -torch.special.ndtri(tail).item()

    @property
    def total_variance(self) -> float:
        """The variance of one draw, summed over coordinates."""
        return self.variance.sum().item()

    @property
    def signal_to_noise(self) -> Tensor:
        """The exact gradient over the standard deviation of one draw, [P]; infinite where nothing scatters.

        Rainforth et al. (2018), equation 2.
        """
        return torch.where(self._scatters, self.exact.abs() / self.variance.sqrt(), math.inf)

    @property
    def seconds_per_unit_variance(self) -> float:
        """Work times variance: how long to average until the variances sum to one."""
        return self.seconds_per_draw * self.total_variance


def gradient_bench(
    model: LatentVariableModel,
    x: Tensor,
    estimators: Mapping[str, Bound],
    exact: Bound,
    num_draws: int = 100_000,
    parameters: str = "posterior.",
    seed: int = 0,
    progress: bool = False,
) -> dict[str, GradientStatistics]:
    r"""Draw each estimator's gradient many times and hold it against the exact one.

    A draw is the gradient of ``estimator(model, x).sum()``. Draws are vectorised: the data are repeated, and each copy
    gets parameters of its own, so that one backward pass gives as many independent gradients as there are copies. An
    estimator that mixes data of a batch (a batch mean as a baseline) must not be put here. Time is measured apart, with
    shared parameters, as in training: it is per copy of the data in a large batch.

    Args:
        model: small; its networks are made of ``nn.Linear`` and elementwise functions.
        x: data of shape [B, D].
        estimators: name to ``(model, x) -> [B]``, with their numbers of samples already chosen; modules are put in
            evaluation mode meanwhile, and their own parameters are not tested.
        exact: ``(model, x) -> [B]``, whose gradient is the exact one, such as ``exact.enumerated_bound``.
        num_draws: gradients per estimator.
        parameters: what the names of the parameters looked at begin with; "" for all.
        seed: of the samples. The caller's random state is not changed.
        progress: show a bar over the estimators.

    Returns:
        Name to :class:`GradientStatistics`, in the order given; :func:`summary` makes a table of it.

    References:
        Glynn & Whitt (1992) for work times variance as the measure of efficiency.
    """
    if num_draws < 2:
        raise ValueError(f"num_draws must be at least 2, and is {num_draws}")
    names = [name for name, _ in model.named_parameters() if name.startswith(parameters)]
    if not names:
        raise ValueError(f"parameters must begin the name of at least one of the model's, and is {parameters!r}")
    model = copy.deepcopy(model).requires_grad_(True)  # whether or not it is being trained
    target = _gradient(model, exact(model, x).sum(), names)
    results = {}
    for name, estimator in tqdm(estimators.items(), disable=not progress, unit="estimator", leave=False):
        if isinstance(estimator, nn.Module):
            estimator = copy.deepcopy(estimator).eval()
        with seeded(seed, x.device):
            mean, variance = _moments(model, x, estimator, names, num_draws)
            seconds = _seconds_per_draw(model, x, estimator)
        results[name] = GradientStatistics(name, target, mean, variance, num_draws, seconds)
    return results


def summary(results: Mapping[str, GradientStatistics]) -> pd.DataFrame:
    """One row per estimator: bias z-score with its multiplicity, variance, time, and work times variance."""
    rows = {
        name: {
            "max |z|": r.max_abs_z,
            "coordinates": r.num_tests,
            "threshold": r.threshold,
            "variance": r.total_variance,
            "seconds per draw": r.seconds_per_draw,
            "seconds per unit variance": r.seconds_per_unit_variance,
        }
        for name, r in results.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index")


def per_draw_gradients(
    model: LatentVariableModel, x: Tensor, estimator: Bound, names: list[str], num_draws: int
) -> Tensor:
    """Independent gradients of ``estimator(model, x).sum()`` by the named parameters, [R, P], from one pass.

    Every copy of the data has its own copy of the parameters: distributions take a leading batch dimension in their
    parameters as it is, and a linear layer is taught to.
    """
    num_data = len(x)
    copies, expanded = {}, {}
    for name, parameter in model.named_parameters():
        if name not in names:
            continue
        copies[name] = parameter.detach().expand(num_draws, *parameter.shape).clone().requires_grad_()
        per_datum = copies[name].repeat_interleave(num_data, 0)  # [R B, *shape]
        expanded[name] = per_datum if parameter.ndim else per_datum[:, None]  # a scalar meets [.., R B, D]
    with _LinearWithOwnWeights():
        values = functional_call(
            _Call(model), {f"model.{k}": v for k, v in expanded.items()}, (estimator, x.repeat(num_draws, 1))
        )
    if values.shape != (num_draws * num_data,):
        raise ValueError(f"an estimator must give one number per datum, [B], and gave {list(values.shape)}")
    gradients = torch.autograd.grad(values.sum(), list(copies.values()), allow_unused=True)
    parts = [torch.zeros_like(c) if g is None else g for c, g in zip(copies.values(), gradients)]
    return torch.cat([part.reshape(num_draws, -1) for part in parts], 1)


class _Call(nn.Module):
    """Something whose forward pass is a call of an estimator, as ``functional_call`` wants."""

    def __init__(self, model: LatentVariableModel):
        super().__init__()
        self.model = model

    def forward(self, estimator: Bound, x: Tensor) -> Tensor:
        return estimator(self.model, x)


class _LinearWithOwnWeights(TorchFunctionMode):
    """Where a linear layer's weights are [R, out, in], the r-th go with the r-th row of the input [.., R, in]."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func is F.linear and args[1].ndim == 3:
            inputs, weight, bias = (*args, None)[:3]
            outputs = (weight @ inputs.unsqueeze(-1)).squeeze(-1)
            return outputs if bias is None else outputs + bias
        return func(*args, **(kwargs or {}))


def _moments(
    model: LatentVariableModel, x: Tensor, estimator: Bound, names: list[str], num_draws: int
) -> tuple[Tensor, Tensor]:
    """Mean and variance of each coordinate, merged over chunks (Chan, Golub & LeVeque, 1983)."""
    leaves = dict(model.named_parameters())
    num_coordinates = sum(leaves[name].numel() for name in names)
    chunk = max(1, _ELEMENTS // (max(num_coordinates, x.shape[1]) * len(x)))
    count, mean, squares = 0, 0.0, 0.0
    while count < num_draws:
        draws = per_draw_gradients(model, x, estimator, names, min(chunk, num_draws - count)).double()
        shift = draws.mean(0) - mean
        total = count + len(draws)
        squares = squares + (draws - draws.mean(0)).square().sum(0) + shift.square() * count * len(draws) / total
        mean = mean + shift * len(draws) / total
        count = total
    return mean, squares / (num_draws - 1)


def _seconds_per_draw(model: LatentVariableModel, x: Tensor, estimator: Bound, num_copies: int = 1000) -> float:
    """Forward and backward pass of a large batch, per copy of the data: the least disturbed of ten."""
    batch = x.repeat(max(1, num_copies // len(x)), 1)
    parameters = [p for p in model.parameters() if p.requires_grad]
    seconds = []
    for _ in range(11):  # the first warms up
        start = time.perf_counter()
        torch.autograd.grad(estimator(model, batch).sum(), parameters, allow_unused=True)
        seconds.append(time.perf_counter() - start)
    return min(seconds[1:]) * len(x) / len(batch)


def _gradient(model: LatentVariableModel, value: Tensor, names: list[str]) -> Tensor:
    """One gradient by the named parameters, [P], float64; those that play no part have zeros."""
    leaves = dict(model.named_parameters())
    gradients = torch.autograd.grad(value, [leaves[name] for name in names], allow_unused=True)
    parts = [torch.zeros_like(leaves[name]) if g is None else g for name, g in zip(names, gradients)]
    return torch.cat([part.flatten() for part in parts]).double()
