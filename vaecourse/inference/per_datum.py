"""Local variational inference: one q per datum, optimised for that datum alone, with no network in between."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
import torch.distributions as td
from torch import Tensor, nn
from tqdm import tqdm

from vaecourse.distributions import Conditional, frozen
from vaecourse.estimators import stl
from vaecourse.model import LatentVariableModel
from vaecourse.posteriors import DiagonalGaussian, FullCovarianceGaussian
from vaecourse.randomness import seeded


class PerDatum(Conditional):
    """A q for each of B data, whose parameters stand in the rows of a table in place of an encoder's outputs.

    Args:
        family: from parameters [B, P] to a distribution with batch shape [B]; ``DiagonalGaussian(nn.Identity())``, say.
        start: the parameters to begin with, [B, P].
    """

    def __init__(self, family: Conditional, start: Tensor):
        super().__init__()
        self.family = family
        self.rows = nn.Parameter(start.detach().clone())

    def forward(self, c: Tensor | None = None, index: Tensor | None = None) -> td.Distribution:
        """The B distributions, or those of the data that ``index``, int64 [b], names.

        Of the context c only the number of data is looked at.
        """
        rows = self.rows if index is None else self.rows[index]
        if c is not None and len(c) != len(rows):
            raise ValueError(f"this posterior holds a q for each of {len(rows)} data, and was asked for {len(c)}")
        return self.family(rows)


class LocalFit(NamedTuple):
    """What a local optimisation ends with, and how it got there."""

    posterior: Conditional
    trace: Tensor  # [num_steps, B], the estimated bound of each datum before each step, nats

    @property
    def q(self) -> td.Distribution:
        """The optimised distributions, batch shape [B], without a gradient."""
        return frozen(self.posterior())


Family = Literal["diagonal", "full"] | Callable[[td.Distribution], Conditional]


def optimise_posteriors(
    model: LatentVariableModel,
    x: Tensor,
    family: Family = "diagonal",
    *,
    start: str | td.Distribution = "encoder",
    estimator: Callable = stl,
    num_steps: int = 500,
    num_samples: int = 8,
    learning_rate: float = 0.05,
    seed: int = 0,
    progress: bool = False,
) -> LocalFit:
    """Maximise the bound over q for each datum on its own, all of them at once, with the model held fixed.

    Adam moves every coordinate by itself, so that the data do not disturb each other; its step falls to zero along a
    cosine, which averages the noise away. Sticking the landing, the default estimator, has no noise left where q is the
    posterior.

    Args:
        model: its prior and likelihood are used, and its posterior where ``start`` is "encoder"; it is not changed.
        x: data of shape [B, D].
        family: "diagonal" or "full", the covariance of the Gaussian q; or a function from the start, a distribution
            with batch shape [B], to a conditional that holds a q for each datum and can be called without context, such
            as a flow over :func:`diagonal`. All its parameters are optimised.
        start: "encoder" or "prior", or a distribution with batch shape [B] whose means and covariances are taken over.
            Where the posterior has several modes, the start decides which one q settles on.
        estimator: ``(model, x, num_samples) -> [B]``.
        num_steps: gradient steps.
        num_samples: samples per datum and step; a step costs as many evaluations of the decoder, and their gradients.
        learning_rate: Adam's at the start, in units of z for means and of its logarithm for scales.
        seed: of the samples; the caller's random state is not changed.
        progress: show a bar over the steps.

    Returns:
        The :class:`LocalFit`; its ``q`` holds the optimised distributions.

    References:
        Hoffman, Blei, Wang & Paisley (2013) for local parameters; Cremer, Li & Duvenaud (2018), section 3.
    """
    for name, value in (("num_steps", num_steps), ("num_samples", num_samples), ("learning_rate", learning_rate)):
        if not value > 0:
            raise ValueError(f"{name} must be above 0, and is {value}")
    if model.prior().support.is_discrete:
        raise ValueError("a Gaussian q needs real latents, and this model's are discrete")
    posterior = family_named(family)(_start(model, x, start))
    local = LatentVariableModel(model.prior, model.likelihood, posterior, model.chunk_size)
    parameters = [p for p in posterior.parameters() if p.requires_grad]  # a frozen decoder may be part of a posterior
    optimiser = torch.optim.Adam(parameters, lr=learning_rate, betas=(0.9, 0.99))  # soon forgets the start
    trace = []
    with seeded(seed, x.device):
        for step in tqdm(range(num_steps), disable=not progress, unit="step", leave=False):
            optimiser.param_groups[0]["lr"] = learning_rate * (1 + math.cos(math.pi * step / num_steps)) / 2
            bound = estimator(local, x, num_samples)
            for parameter, gradient in zip(parameters, torch.autograd.grad(-bound.sum(), parameters)):
                parameter.grad = gradient
            optimiser.step()
            trace.append(bound.detach())
    return LocalFit(posterior, torch.stack(trace))


def diagonal(q: td.Distribution) -> PerDatum:
    """The Gaussians with the means and variances of q, batch shape [B], and no correlations."""
    loc, scale_tril = loc_and_scale_tril(q)
    return PerDatum(DiagonalGaussian(nn.Identity()), torch.cat([loc, scale_tril.norm(dim=-1).log()], -1))


def full(q: td.Distribution) -> PerDatum:
    """The Gaussians with the means and covariances of q, batch shape [B]."""
    loc, scale_tril = loc_and_scale_tril(q)
    slot = FullCovarianceGaussian(nn.Identity(), loc.shape[-1]).to(loc.device)
    entries = scale_tril[..., slot.below[0], slot.below[1]]
    log_diagonal = scale_tril.diagonal(dim1=-2, dim2=-1).log()
    return PerDatum(slot, torch.cat([loc, log_diagonal, entries], -1))


def family_named(family: Family) -> Callable[[td.Distribution], Conditional]:
    """The function from a start to the conditional that is optimised; the Gaussian families have names."""
    if callable(family):
        return family
    if family not in (gaussians := {"diagonal": diagonal, "full": full}):
        raise ValueError(f'family must be "diagonal", "full" or a function of the start, and is {family!r}')
    return gaussians[family]


def loc_and_scale_tril(q: td.Distribution) -> tuple[Tensor, Tensor]:
    """Mean [B, L] of a q and a lower triangular root of its covariance [B, L, L], diagonal where q is not full."""
    if isinstance(q, td.MultivariateNormal):
        return q.loc, q.scale_tril
    try:
        return q.mean, q.stddev.diag_embed()
    except NotImplementedError:
        raise ValueError(
            f"start must have a mean and a variance for a Gaussian q, and {type(q).__name__} has neither: "
            "pass another distribution"
        ) from None


@torch.no_grad()
def _start(model: LatentVariableModel, x: Tensor, start: str | td.Distribution) -> td.Distribution:
    if isinstance(start, td.Distribution):
        return start
    if start == "encoder":
        return model.qz_x(x)
    if start == "prior":
        return model.prior().expand((len(x),))
    raise ValueError(f'start must be "encoder", "prior" or a distribution, and is {start!r}')
