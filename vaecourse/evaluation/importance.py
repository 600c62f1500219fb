"""The importance-sampling estimate of log p(x), and how far to trust it."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from tqdm import tqdm

from vaecourse.likelihoods import check_support
from vaecourse.model import LatentVariableModel


class ImportanceEstimate(NamedTuple):
    """log p(x) by importance sampling, with what tells how far to trust it."""

    log_px: Tensor  # [B], nats
    ess: Tensor  # [B], effective number of samples, between 1 and num_samples


@torch.no_grad()
def importance_log_likelihood(
    model: LatentVariableModel,
    x: Tensor,
    num_samples: int = 1000,
    chunk_size: int = 2000,
    progress: bool = False,
) -> ImportanceEstimate:
    r"""The importance-sampling estimate of log p(x) with q(z|x) as the proposal.

    .. math:: \log \hat p(x) = \log \frac1M \sum_{m=1}^M \frac{p(x, z_m)}{q(z_m|x)}, \qquad z_m \sim q(z|x)

    Its expectation is the importance-weighted bound :math:`\mathcal L_M \le \log p(x)`. Sums run in log space, and in
    float64 across chunks; q is evaluated once per datum and shared by all its chunks.

    Args:
        model: the model, with its posterior.
        x: data of shape [B, D], one realisation of the protocol.
        num_samples: number M of samples per datum.
        chunk_size: how many (sample, datum) pairs are decoded at once; it bounds the memory, not the result's law.
        progress: show a bar over the data.

    Returns:
        log p(x) in nats and the effective sample size, each [B], float64 on the CPU.

    References:
        Burda, Grosse & Salakhutdinov (2016), section 5; Kong (1992) for the effective sample size.
    """
    for name, value in (("num_samples", num_samples), ("chunk_size", chunk_size)):
        if value < 1:
            raise ValueError(f"{name} must be at least 1, and is {value}")
    pz = model.prior()  # once: it may run a network
    check_support(model.likelihood(pz.sample((1,))), x)
    samples_at_once = min(num_samples, chunk_size)
    log_px, ess = [], []
    for part in tqdm(x.split(max(1, chunk_size // samples_at_once)), disable=not progress, unit="batch", leave=False):
        q = model.qz_x(part)
        # Summed on the CPU, because not every accelerator has float64.
        log_sum = torch.full((len(part),), -math.inf, dtype=torch.float64)  # log of the sum of w
        log_squares = log_sum  # log of the sum of w^2
        for start in range(0, num_samples, samples_at_once):
            size = min(samples_at_once, num_samples - start)
            log_w = model.draw(part, size, q=q, pz=pz).log_w.cpu().double()  # [S, b]
            log_sum = torch.logaddexp(log_sum, log_w.logsumexp(0))
            log_squares = torch.logaddexp(log_squares, (2 * log_w).logsumexp(0))
        log_px.append(log_sum - math.log(num_samples))
        ess.append((2 * log_sum - log_squares).exp())
    return ImportanceEstimate(torch.cat(log_px), torch.cat(ess))
