"""What every estimate of log p(x) says: its value, how far to trust it, and what it cost."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from vaecourse.evaluation.pareto import pareto_khat, tail_size


class LogLikelihood(NamedTuple):
    r"""An estimate of log p(x) for each datum from S weights whose expectation is p(x).

    .. math:: \log\hat p = \log \frac1S \sum_s w_s, \qquad
              \mathrm{se} = \sqrt{\frac{S / \mathrm{ess} - 1}{S - 1}}, \qquad
              \mathrm{ess} = \frac{(\sum_s w_s)^2}{\sum_s w_s^2}

    The standard error is that of the delta method: the one of the mean weight, over the mean weight. It holds where it
    is small, and like the others it judges by the weights that were seen.
    """

    log_px: Tensor  # [B], nats
    se: Tensor  # [B], its standard error, nats; not a number for a single weight
    ess: Tensor  # [B], effective number of weights, between 1 and S
    khat: Tensor  # [B], how heavy the weights' tail is (pareto_khat); not a number below 25 weights
    num_evaluations: int  # evaluations of the decoder that each datum cost


class RunningWeights:
    """Log-weights that come in chunks: their sums and their largest are kept, in float64 on the CPU.

    Args:
        num_weights: how many weights S each datum will have.
        first: number of the first datum, for what errors say.
    """

    def __init__(self, num_weights: int, first: int = 0):
        self.num_weights = num_weights
        self.first = first
        self.precision = 0.0
        self.num_largest = tail_size(num_weights) + 1
        self.log_sum: Tensor | None = None  # [b], log of the sum of w
        self.log_squares: Tensor | None = None  # [b], log of the sum of w^2
        self.largest: list[Tensor] = []  # parts [s, b] that hold the largest log-weights

    def add(self, log_w: Tensor) -> None:
        """Take in log-weights [s, b].

        Raises:
            ValueError: one of them is not a number or plus infinity.
        """
        check_log_weights(log_w, self.first)
        self.precision = max(self.precision, torch.finfo(log_w.dtype).eps)
        log_w = log_w.cpu().double()  # not every accelerator has float64
        log_sum, log_squares = log_w.logsumexp(0), (2 * log_w).logsumexp(0)
        if self.log_sum is not None:
            log_sum, log_squares = log_sum.logaddexp(self.log_sum), log_squares.logaddexp(self.log_squares)
        self.log_sum, self.log_squares = log_sum, log_squares
        self.largest.append(log_w)
        if sum(map(len, self.largest)) > 2 * self.num_largest:  # not at every chunk: sorting costs more than keeping
            self._forget()

    def estimate(self, num_evaluations: int) -> LogLikelihood:
        """The estimate from all weights taken in."""
        num = self.num_weights
        relative = torch.expm1(math.log(num) + self.log_squares - 2 * self.log_sum).clamp(min=0)  # S / ess - 1
        se = (relative / (num - 1)).sqrt() if num > 1 else torch.full_like(relative, math.nan)
        self._forget()
        khat = pareto_khat(self.largest[0], num, self.precision)
        ess = (2 * self.log_sum - self.log_squares).exp()
        return LogLikelihood(self.log_sum - math.log(num), se, ess, khat, num_evaluations)

    def _forget(self) -> None:
        together = torch.cat(self.largest)
        self.largest = [together.topk(min(self.num_largest, len(together)), 0).values]


def from_log_weights(log_w: Tensor, num_evaluations: int) -> LogLikelihood:
    """The estimate from log-weights [S, B] that are all there.

    Raises:
        ValueError: one of them is not a number or plus infinity.

    Example:
        >>> estimate = from_log_weights(torch.tensor([[0.6], [0.2]]).log(), num_evaluations=2)
        >>> [round(part.item(), 4) for part in estimate[:3]]
        [-0.9163, 0.5, 1.6]
    """
    weights = RunningWeights(len(log_w))
    weights.add(log_w)
    return weights.estimate(num_evaluations)


def joined(parts: list[LogLikelihood]) -> LogLikelihood:
    """The estimates of several parts of the data as one."""
    *columns, costs = zip(*parts)
    return LogLikelihood(*map(torch.cat, columns), max(costs))


def check_log_weights(log_w: Tensor, first: int = 0) -> None:
    """Refuse log-weights [S, B] that no average can be taken of; a weight of zero is a weight.

    Args:
        log_w: logarithms of weights.
        first: number of the first datum, for the message.

    Raises:
        ValueError: one is not a number or plus infinity; the message names the datum.
    """
    worst = log_w.sum(0)  # a cheap look first: what is wrong with one is wrong with the sum
    if bool((worst < math.inf).all()):
        return
    bad = log_w.isnan() | (log_w == math.inf)
    if bad.any():
        datum = int(bad.any(0).nonzero()[0])
        wrong = log_w[:, datum][bad[:, datum]][0]
        what = "not a number" if wrong.isnan() else "infinite"
        raise ValueError(
            f"log_w of datum {first + datum} is {what}: look for what log p(x|z), log p(z) and log q(z|x) say there"
        )
