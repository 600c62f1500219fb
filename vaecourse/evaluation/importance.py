"""The importance-sampling estimate of log p(x), from any proposal that has a density."""

from __future__ import annotations

import torch
import torch.distributions as td
from torch import Tensor
from tqdm import tqdm

from vaecourse.distributions import Conditional, sample_and_log_prob
from vaecourse.evaluation.estimate import LogLikelihood, RunningWeights, joined
from vaecourse.likelihoods import check_support
from vaecourse.model import LatentVariableModel

# How many pixels are decoded at once on a CPU. The memory of more of them leaves its cache, goes back to the system and
# is asked for again at every call: of images of 784 pixels, 2000 at once take nearly twice as long as eight times 250.
PIXELS_AT_ONCE = 200_000


@torch.no_grad()
def importance_log_likelihood(
    model: LatentVariableModel,
    x: Tensor,
    num_samples: int = 1000,
    chunk_size: int = 2000,
    progress: bool = False,
    proposal: Conditional | None = None,
) -> LogLikelihood:
    r"""The importance-sampling estimate of log p(x), with q(z|x) or another proposal.

    .. math:: \log \hat p(x) = \log \frac1M \sum_{m=1}^M \frac{p(x, z_m)}{q(z_m|x)}, \qquad z_m \sim q(z|x)

    Its expectation is the importance-weighted bound :math:`\mathcal L_M \le \log p(x)`. Sums run in log space, and in
    float64 across chunks; q is evaluated once per datum and shared by all its chunks.

    Args:
        model: the model.
        x: data of shape [B, D], one realisation of the protocol.
        num_samples: number M of samples per datum.
        chunk_size: how many (sample, datum) pairs are decoded at once; it bounds the memory, not the result's law.
        progress: show a bar over the data.
        proposal: q(z|x), a conditional on x; None for the model's own posterior. Tails heavier than the posterior's
            (:class:`~vaecourse.posteriors.StudentT`) cost some samples, lighter ones
            (:class:`~vaecourse.posteriors.Scaled`) the trust in all of them.

    Returns:
        The :class:`LogLikelihood`, float64 on the CPU.

    Raises:
        ValueError: an argument is out of its range, x lies outside the likelihood's support, the proposal has no
            density, or a weight is not a number.

    References:
        Burda, Grosse & Salakhutdinov (2016), section 5; Kong (1992) for the effective sample size; Vehtari et al.
        (2024) for k-hat.
    """
    for name, value in (("num_samples", num_samples), ("chunk_size", chunk_size)):
        if value < 1:
            raise ValueError(f"{name} must be at least 1, and is {value}")
    if isinstance(proposal, td.Distribution):
        raise ValueError(f"proposal must be a conditional, q(z|x) as a function of x, and is {proposal}")
    pz = model.prior()  # once: it may run a network
    check_support(model.likelihood(pz.sample((1,))), x)
    at_once = model.chunk_size
    if x.device.type == "cpu":
        at_once = min(at_once or chunk_size, max(1, PIXELS_AT_ONCE // x.shape[1]))
    proposal = model.posterior if proposal is None else proposal
    model = LatentVariableModel(model.prior, model.likelihood, proposal, at_once)
    samples_at_once = min(num_samples, chunk_size)
    estimates, first = [], 0
    for part in tqdm(x.split(max(1, chunk_size // samples_at_once)), disable=not progress, unit="batch", leave=False):
        q = model.qz_x(part)
        weights = RunningWeights(num_samples, first)
        for start in range(0, num_samples, samples_at_once):
            size = min(samples_at_once, num_samples - start)
            try:
                z, log_qz_x = sample_and_log_prob(q, (size,))
            except NotImplementedError as error:
                raise ValueError(f"the proposal must have a density, and {type(q).__name__} has none") from error
            weights.add(model.score(part, z, log_qz_x, pz).log_w)  # [S, b]
        estimates.append(weights.estimate(num_samples))
        first += len(part)
    return joined(estimates)
