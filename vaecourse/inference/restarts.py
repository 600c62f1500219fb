"""Local inference from several starts: the best end of each datum, and whether the starts agree on it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.distributions as td
from torch import Tensor

from vaecourse.distributions import frozen
from vaecourse.inference.per_datum import Family, family_named, loc_and_scale_tril, optimise_posteriors
from vaecourse.model import LatentVariableModel
from vaecourse.randomness import key, seeded

AGREEMENT = 0.1  # nats, chosen: ends that lie closer than this are one optimum


@torch.no_grad()
def sampled_bound(
    model: LatentVariableModel, x: Tensor, q: td.Distribution, num_samples: int, seed: int
) -> tuple[Tensor, Tensor]:
    """The bound of a q and its Monte-Carlo standard error, each [B] in nats, under the noise of a seed.

    Two q of one kind that are scored under one seed share their noise, and their difference has less of it.
    """
    if num_samples < 2:
        raise ValueError(f"num_samples must be at least 2, and is {num_samples}")
    pz = model.prior()
    with seeded(seed, x.device):
        at_once = max(1, (model.chunk_size or num_samples * len(x)) // len(x))
        sizes = [min(at_once, num_samples - start) for start in range(0, num_samples, at_once)]
        log_w = torch.cat([model.draw(x, size, q=q, pz=pz).log_w for size in sizes])  # [S, B]
    return log_w.mean(0), log_w.std(0) / math.sqrt(num_samples)


@torch.no_grad()
def look(
    model: LatentVariableModel, x: Tensor, num_points: int = 100, scale: float = 0.2, seed: int = 0
) -> td.Independent:
    """A narrow Gaussian at the best of some draws from the prior, for each datum: a start that needs no encoder.

    Args:
        model: its prior and likelihood are used.
        x: data of shape [B, D].
        num_points: draws, decoded once for all data.
        scale: standard deviation of the Gaussians, in units of z.
        seed: of the draws; another one looks elsewhere.

    Returns:
        The Gaussians, batch shape [B].
    """
    with seeded(seed, x.device):
        z = model.prior().sample((num_points,)).to(x)[:, None]  # [S, 1, L]
    best = z[model.log_joint(x, z).argmax(0), 0]  # [B, L]
    return td.Independent(td.Normal(best, torch.full_like(best, scale), validate_args=False), 1)


class Search(NamedTuple):
    """Where local inference ended from each start; ends are scored under one noise, with which none was fitted."""

    candidates: list[td.Distribution]  # starts that nothing was done to, if they compete, then an end per start
    bounds: Tensor  # [candidates, B], nats
    num_ends: int  # how many of the candidates, counted from the last, are ends of a climb

    @property
    def choice(self) -> Tensor:
        """Which candidate is each datum's best, [B]."""
        return self.bounds.argmax(0)

    @property
    def shortfall(self) -> Tensor:
        """By how much the second best end lies below the best one, [B] in nats; zeros after a single climb."""
        if self.num_ends < 2:
            return torch.zeros_like(self.bounds[0])
        first, second = self.bounds[-self.num_ends :].topk(2, 0).values
        return first - second

    @property
    def suspects(self) -> Tensor:
        """Where one start alone came to the best end, [B]: a further one might find a better end still."""
        return self.shortfall > AGREEMENT

    def pick(self, values: Sequence[Tensor]) -> Tensor:
        """Of one value per candidate, each [B, ...], that of each datum's best."""
        stacked = torch.stack(list(values))
        return stacked[self.choice, torch.arange(stacked.shape[1], device=stacked.device)]

    def gaussian(self) -> td.Distribution:
        """The best candidates as Gaussians, batch shape [B]: those with their moments, if they are others."""
        if len(self.candidates) == 1 and not needs_moments(self.candidates[0]):
            return self.candidates[0]
        kept = [moments(q, self.bounds.device) if needs_moments(q) else q for q in self.candidates]
        loc, scale_tril = (self.pick(parts) for parts in zip(*map(loc_and_scale_tril, kept)))
        if any(isinstance(q, td.MultivariateNormal) for q in kept):
            return td.MultivariateNormal(loc, scale_tril=scale_tril, validate_args=False)
        return td.Independent(td.Normal(loc, scale_tril.diagonal(dim1=-2, dim2=-1), validate_args=False), 1)


def search_posteriors(
    model: LatentVariableModel,
    x: Tensor,
    family: Family = "diagonal",
    *,
    starts: Sequence[td.Distribution],
    keep: int = 0,
    num_scored: int = 200,
    seed: int = 0,
    **options,
) -> Search:
    """Climb from each start, and keep every end.

    Args:
        model: its prior and likelihood are used; it is not changed.
        x: data of shape [B, D].
        family: as for :func:`~vaecourse.inference.optimise_posteriors`.
        starts: distributions with batch shape [B]; the family makes its own q of each.
        keep: so many of the first starts compete with the ends, as the family makes them. The best is then never
            below a start that belongs to the family, however the climbs went.
        num_scored: samples per datum that each candidate is judged by.
        seed: of the climbs, of which each has its own noise; the judge's noise is another.
        options: of :func:`~vaecourse.inference.optimise_posteriors`.
    """
    if not starts:
        raise ValueError("starts must hold one distribution at least, and is empty")
    with torch.no_grad():
        candidates = [frozen(family_named(family)(start)()) for start in starts[:keep]]
    for k, start in enumerate(starts):
        noise = key(seed, "climb", k) if k else seed
        candidates.append(optimise_posteriors(model, x, family, start=start, seed=noise, **options).q)
    if len(candidates) == 1:  # nothing to choose from
        return Search(candidates, torch.zeros(1, len(x), dtype=x.dtype, device=x.device), 1)
    bounds = [sampled_bound(model, x, q, num_scored, key(seed, "judge"))[0] for q in candidates]
    return Search(candidates, torch.stack(bounds), len(starts))


def needs_moments(q: td.Distribution) -> bool:
    """Whether a distribution says nothing of its mean and variance."""
    try:
        loc_and_scale_tril(q)
    except ValueError:
        return True
    return False


@torch.no_grad()
def moments(q: td.Distribution, device: torch.device, num_samples: int = 1000, seed: int = 0) -> td.Independent:
    """The diagonal Gaussians with the means and variances of samples of q, batch shape [B]: a start from a flow."""
    with seeded(seed, device):
        z = q.sample((num_samples,))
    return td.Independent(td.Normal(z.mean(0), z.std(0), validate_args=False), 1)
