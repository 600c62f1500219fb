"""Variational boosting: a mixture for each datum, one component after the other, each put where the mixture misses."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
import torch.distributions as td
from torch import Tensor, nn

from vaecourse.distributions import Conditional, frozen, log_prob
from vaecourse.inference.per_datum import loc_and_scale_tril
from vaecourse.model import LatentVariableModel, check_num_samples
from vaecourse.objectives import elbo
from vaecourse.randomness import seeded


class PerDatumMixture(Conditional):
    """A mixture of K diagonal Gaussians for each of B data, in the rows of tables.

    Args:
        loc: means, [B, K, L].
        scale: standard deviations, [B, K, L].
        logits: of the components' weights, [B, K]; even weights, if None.
    """

    def __init__(self, loc: Tensor, scale: Tensor, logits: Tensor | None = None):
        super().__init__()
        self.loc = nn.Parameter(loc.detach().clone())
        self.log_scale = nn.Parameter(scale.detach().log())
        self.logits = nn.Parameter((loc.new_zeros(loc.shape[:2]) if logits is None else logits).detach().clone())

    def forward(self, c: Tensor | None = None) -> td.MixtureSameFamily:
        """The B mixtures; of the context c only the number of data is looked at."""
        if c is not None and len(c) != len(self.loc):
            raise ValueError(f"this posterior holds a q for each of {len(self.loc)} data, and was asked for {len(c)}")
        parts = td.Independent(td.Normal(self.loc, self.log_scale.exp(), validate_args=False), 1)
        weights = td.Categorical(logits=self.logits, validate_args=False)
        return td.MixtureSameFamily(weights, parts, validate_args=False)


def stratified(
    model: LatentVariableModel,
    x: Tensor,
    num_samples: int = 1,
    objective: Callable[..., Tensor] = elbo,
    through: Literal["both", "sample"] = "both",
) -> Tensor:
    r"""The bound of a mixture with S samples from *every* component, each of them of that component's weight.

    .. math:: \mathcal L(q) = \sum_k \pi_k\, E_{q_k}\big[\log p(x, z) - \log \textstyle\sum_j \pi_j q_j(z)\big]

    No component is chosen at random, so that the gradient reaches the weights, too, and all samples can be
    reparameterised.

    Args:
        model: whose q(z|x) is a ``MixtureSameFamily`` of components with rsample.
        x: data of shape [B, D].
        num_samples: number S of samples per datum *and component*.
        objective: a function of a draw and its ``log_mass``.
        through: "sample" holds q constant in its own density (sticking the landing), for ``elbo`` and what else is
            linear in the log-weights: where q is the posterior no noise is left.

    Returns:
        The objective, [B], in nats.

    Raises:
        ValueError: q is no mixture, or through is neither word.

    References:
        Roeder, Wu & Duvenaud (2017), section 5.2; Morningstar et al. (2021).
    """
    check_num_samples(num_samples)
    q = model.qz_x(x)
    if not isinstance(q, td.MixtureSameFamily):
        raise ValueError(f"stratified needs a q(z|x) that is a mixture, and it is {type(q).__name__}")
    if through not in ("both", "sample"):
        raise ValueError(f'through must be "both" or "sample", and is {through!r}')
    z = q.component_distribution.rsample((num_samples,)).movedim(2, 1).flatten(0, 1)  # [S K, B, L]
    log_weight = q.mixture_distribution.logits.log_softmax(-1).T - math.log(num_samples)  # [K, B]
    log_q = log_prob(frozen(q) if through == "sample" else q, z)
    return objective(model.score(x, z, log_q), log_mass=log_weight.repeat(num_samples, 1))


class Boosted(NamedTuple):
    """The mixtures after each component, and what they cost."""

    mixtures: list[td.MixtureSameFamily]  # of 1, 2, ... components, batch shape [B], without a gradient
    num_evaluations: int  # evaluations of the decoder, nearly all with a gradient, per datum

    @property
    def q(self) -> td.MixtureSameFamily:
        """The mixture of all components."""
        return self.mixtures[-1]


def boost(
    model: LatentVariableModel,
    x: Tensor,
    start: td.Distribution,
    num_components: int,
    *,
    num_steps: int = 300,
    num_samples: int = 8,
    learning_rate: float = 0.05,
    num_candidates: int = 200,
    seed: int = 0,
) -> Boosted:
    r"""Add components one at a time to the q of every datum, and refit the weights after each.

    The first component is fitted from ``start``. Each further one begins where the mixture misses most: of a few
    samples of the prior, resampled by their likelihood, at the one where :math:`\log p(x, z) - \log q(z)` is highest,
    with the start's scales and a weight of a tenth. It climbs the :func:`stratified` bound together with the weights of
    all; the components before it stay.

    Args:
        model: its prior and likelihood are used; it is not changed.
        x: data of shape [B, D].
        start: a distribution with batch shape [B], whose means and variances the first component takes over.
        num_components: number K.
        num_steps: of Adam for each component.
        num_samples: samples per datum and component in each step.
        learning_rate: Adam's at the start, from which it falls to zero along a cosine.
        num_candidates: samples of the prior among which the place of a new component is looked for.
        seed: of all samples; the caller's random state is not changed.

    Returns:
        The mixtures of 1 to K components, with their cost.

    Raises:
        ValueError: a number is below one.

    References:
        Guo et al. (2016); Miller, Foti & Adams (2017), variational boosting, section 3.
    """
    counts = dict(num_components=num_components, num_steps=num_steps, num_candidates=num_candidates)
    for name, value in counts.items():
        if value < 1:
            raise ValueError(f"{name} must be at least 1, and is {value}")
    loc, scale_tril = loc_and_scale_tril(start)
    loc, scale = loc[:, None].detach(), scale_tril.detach().norm(dim=-1)[:, None]  # [B, 1, L]
    first_scale, logits = scale, loc.new_zeros(len(x), 1)
    mixtures, cost = [], 0
    with seeded(seed, x.device):
        for number in range(1, num_components + 1):
            if number > 1:
                place = _where_it_misses(model, x, mixtures[-1], num_candidates)
                cost += num_candidates
                loc, scale = torch.cat([loc, place], 1), torch.cat([scale, first_scale], 1)
                small = logits.logsumexp(-1, keepdim=True) + math.log(0.1 / 0.9)
                logits = torch.cat([logits, small], 1)
            posterior = PerDatumMixture(loc, scale, logits)
            _climb(model, x, posterior, num_steps, num_samples, learning_rate)
            cost += num_steps * num_samples * number
            loc, scale, logits = (p.detach() for p in (posterior.loc, posterior.log_scale.exp(), posterior.logits))
            mixtures.append(frozen(posterior()))
    return Boosted(mixtures, cost)


@torch.no_grad()
def _where_it_misses(model: LatentVariableModel, x: Tensor, q: td.Distribution, num_candidates: int) -> Tensor:
    """Of rough samples of the posterior the one at which log p(x, z) - log q(z) is highest, for each datum, [B, 1, L].

    The highest of all points would lie far out, where both densities are nothing and their ratio is anything.
    """
    z = model.prior().sample((num_candidates, len(x)))
    log_px_z = model.log_likelihood(x, z)  # the log-weights of samples of the prior
    kept = td.Categorical(logits=log_px_z.T, validate_args=False).sample((max(1, num_candidates // 10),))  # [K, B]
    z = z.gather(0, kept[..., None].expand(-1, -1, z.shape[-1]))
    log_w = log_px_z.gather(0, kept) + log_prob(model.prior(), z) - log_prob(q, z)
    return z.gather(0, log_w.argmax(0)[None, :, None].expand(1, *z.shape[1:]))[0][:, None]


def _climb(
    model: LatentVariableModel,
    x: Tensor,
    posterior: PerDatumMixture,
    num_steps: int,
    num_samples: int,
    learning_rate: float,
) -> None:
    """Fit the last component of each mixture and the weights of all."""
    local = LatentVariableModel(model.prior, model.likelihood, posterior, model.chunk_size)
    parameters = list(posterior.parameters())
    optimiser = torch.optim.Adam(parameters, lr=learning_rate, betas=(0.9, 0.99))
    for step in range(num_steps):
        optimiser.param_groups[0]["lr"] = learning_rate * (1 + math.cos(math.pi * step / num_steps)) / 2
        bound = stratified(local, x, num_samples, through="sample")
        for parameter, gradient in zip(parameters, torch.autograd.grad(-bound.sum(), parameters)):
            if parameter is not posterior.logits:
                gradient[:, :-1] = 0.0  # the components before it stay
            parameter.grad = gradient
        optimiser.step()
