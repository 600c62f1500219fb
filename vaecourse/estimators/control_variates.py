"""Score-function estimators that treat each coordinate of q by itself: optimal coefficients, Rao-Blackwellisation."""

from __future__ import annotations

from typing import Literal

import torch.distributions as td
from torch import Tensor

from vaecourse.estimators.score_function import baseline_at, mean_of_others
from vaecourse.estimators.surrogate import with_gradient_of
from vaecourse.model import LatentVariableModel
from vaecourse.objectives import elbo


def optimal_control_variate(model: LatentVariableModel, x: Tensor, num_samples: int = 2) -> Tensor:
    r"""The score function with the score itself as control variate, at the best coefficient of each coordinate.

    With h = d log q / d eta for one parameter eta of q(z|x), the estimator (log w - a) h has the least variance at

    .. math:: a^* = \frac{\mathrm{Cov}(h \log w,\, h)}{\mathrm{Var}(h)} = \frac{E_q[h^2 \log w]}{E_q[h^2]}

    The coefficient is estimated for each sample from the *others*: from all of them, the sample included, the estimate
    would be biased.

    Args:
        model: q(z|x) is a factorised Bernoulli or Gaussian, or one-hot.
        x: data of shape [B, D].
        num_samples: number S of samples per datum, at least 2.

    Returns:
        The evidence lower bound, [B], in nats.

    References:
        Ranganath, Gerrish & Blei (2014), section 3.2; Greensmith, Bartlett & Baxter (2004).
    """
    q = model.qz_x(x)
    draw = model.draw(x, num_samples, q=q, through="density")
    log_w = draw.log_w.detach()[..., None]  # [S, B, 1]
    surrogate = draw.log_px_z + draw.log_pz  # [S, B]
    for parameter, score in scores(q, draw.z):
        moment = mean_of_others(score.square())  # [S, B, P], of h^2
        best = mean_of_others(score.square() * log_w) / moment.clamp_min(1e-30)  # where h is 0, so is its numerator
        surrogate = surrogate + ((log_w - best) * score * parameter).sum(-1)
    return with_gradient_of(elbo(draw), surrogate.mean(0))


def rao_blackwellised(
    model: LatentVariableModel,
    x: Tensor,
    num_samples: int = 1,
    baseline: Literal["leave_one_out"] | Tensor | float | None = None,
    neighbours: Tensor | None = None,
) -> Tensor:
    r"""The score function for a factorised q in which each latent's score meets only the terms that know that latent.

    .. math:: \nabla_{\phi_l} \mathcal L = E_q\Big[\Big(\sum_{d \in N(l)} \log p(x_d|z) + \log p(z_l) - \log q(z_l|x)
              - b\Big)\, \nabla \log q(z_l|x)\Big]

    Every other term is independent of z_l under q, and so has expectation zero times the score: replacing it by its
    conditional expectation, zero, is Rao-Blackwellisation. Where the prior does not factorise it is kept whole.

    Args:
        model: q(z|x) is ``Independent(base, 1)``.
        x: data of shape [B, D].
        num_samples: number S of samples per datum.
        baseline: as for :func:`~vaecourse.estimators.score_function`; leave-one-out averages each latent's own signal.
        neighbours: boolean [L, D], whether pixel d depends on latent l; None where the decoder is dense. Then every
            pixel is everyone's neighbour, and only the terms of the prior and of q can be dropped. Not with a
            ``chunk_size``.

    Returns:
        The evidence lower bound, [B], in nats.

    References:
        Ranganath, Gerrish & Blei (2014), section 3.1; Mnih & Gregor (2014), section 2.3.3.
    """
    q = model.qz_x(x)
    if not (isinstance(q, td.Independent) and q.reinterpreted_batch_ndims == 1):
        raise ValueError(f"rao_blackwellised needs a factorised q, Independent(base, 1), and got {type(q).__name__}")
    if neighbours is not None and model.chunk_size is not None:
        raise ValueError("chunk_size must be None where neighbours are given: the pixels' terms are needed one by one")
    draw = model.draw(x, num_samples, q=q, through="density")
    log_q = q.base_dist.log_prob(draw.z)  # [S, B, L]
    prior = model.prior()
    factorises = isinstance(prior, td.Independent) and prior.reinterpreted_batch_ndims == 1
    log_p = prior.base_dist.log_prob(draw.z) if factorises else draw.log_pz[..., None]
    if neighbours is None:
        log_px = draw.log_px_z[..., None]  # [S, B, 1]
    else:
        pixels = model.likelihood(draw.z).base_dist.log_prob(x)  # [S, B, D]
        log_px = pixels @ neighbours.T.to(pixels)  # [S, B, L]
    signal = (log_px + log_p - log_q).detach()  # [S, B, L]
    signal = signal - baseline_at(baseline, x, signal)
    surrogate = draw.log_px_z + draw.log_pz + (signal * log_q).sum(-1)
    return with_gradient_of(elbo(draw), surrogate.mean(0))


def scores(q: td.Distribution, z: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Each parameter tensor of q [B, P] with the derivative of log q(z) by it, [S, B, P], detached.

    For the logits of a one-hot z it is z - probs, which is the derivative by logits before they are normalised.
    """
    base = q.base_dist if isinstance(q, td.Independent) else q
    if isinstance(base, (td.Bernoulli, td.OneHotCategorical)):
        parts = [(base.logits, z - base.probs)]
    elif isinstance(base, td.Normal):
        standard = (z - base.loc) / base.scale
        parts = [(base.loc, standard / base.scale), (base.scale, (standard.square() - 1) / base.scale)]
    else:
        known = "Bernoulli, Normal and one-hot q"
        raise ValueError(f"the score of each parameter is known for {known}, and not for {type(base).__name__}")
    return [(parameter, score.detach()) for parameter, score in parts]
