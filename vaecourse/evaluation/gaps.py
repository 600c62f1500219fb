"""The ledger of a model: local searches for the best q of each family, beside the encoder and a refitted one."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Sequence
from functools import partial

import torch
import torch.distributions as td
from torch import Tensor

from vaecourse.distributions import Conditional
from vaecourse.estimators import stl
from vaecourse.evaluation.ledger import Cost, Entry, GapLedger, in_doubt
from vaecourse.inference import Family, Search, look, moments, needs_moments, sampled_bound, search_posteriors
from vaecourse.model import LatentVariableModel
from vaecourse.randomness import key, seeded


class LocalOptimumWarning(UserWarning):
    """The starts of a local search do not agree, so that its best end may not be the best there is."""


def gap_ledger(
    model: LatentVariableModel,
    x: Tensor,
    log_px: Tensor | None = None,
    families: Sequence[Family] = ("diagonal",),
    num_samples: int = 1000,
    num_steps: int = 500,
    chunk_size: int = 20_000,
    seed: int = 0,
    progress: bool = False,
    *,
    own: str | None = None,
    restarts: int = 0,
    refitted: Conditional | None = None,
    learning_rate: float = 0.05,
    estimator: Callable = stl,
    num_fitted: int = 8,
) -> GapLedger:
    """Optimise a q for each datum in each family, and hold log p(x), their bounds and the encoder's side by side.

    All bounds are estimated with fresh samples, not those that q was fitted to, and with the same noise, so that their
    differences are less noisy than they are. Each richer family starts where the poorer one ended: started anywhere
    else, it may end in another mode, and below. With restarts each datum keeps the best of several ends and of the
    start itself, chosen under a third noise; where one start alone came to the best end, a warning says so.

    Args:
        model: with a q(z|x) that can be reparameterised; it is not changed.
        x: data of shape [B, D], one realisation of the protocol.
        log_px: log p(x) in nats, [B]: exact, or a good estimate, whose error enters the approximation gap. None for
            :func:`pooled_log_px` with every q that the ledger finds.
        families: as for :func:`~vaecourse.inference.optimise_posteriors`, from the poorest to the richest; the rows
            bear their names, so that functions need different ones. Those poorer than the encoder's own stand beside
            the chain.
        num_samples: samples per datum that each bound is estimated from.
        num_steps: of the local optimisation in each family.
        chunk_size: how many (sample, datum) pairs are decoded at once; it bounds the memory.
        seed: of the samples; the caller's random state is not changed.
        progress: show a bar over the steps.
        own: the name of the encoder's own family; None for the first. Where it is not the first, it starts at the
            encoder's q as well as where the poorer one ended.
        restarts: how many further climbs each family makes, each from the best of a hundred draws from the prior.
        refitted: the best encoder of the model's size, as
            :func:`~vaecourse.evaluation.refit_encoder` finds it; it splits the amortisation gap.
        learning_rate: Adam's, in the local optimisation.
        estimator: of its gradient, ``(model, x, num_samples) -> [B]``; ``pathwise`` takes less time for a flow.
        num_fitted: samples per datum and step of the local optimisation.

    Returns:
        The :class:`GapLedger`.

    Raises:
        ValueError: log_px has another shape, x is empty, two families have one name, or own is none of them.

    Warns:
        LocalOptimumWarning: the restarts of a family disagree.
    """
    if log_px is not None and log_px.shape != (len(x),):
        raise ValueError(f"log_px must have one number per datum, [{len(x)}], and has shape {list(log_px.shape)}")
    names = [_name(family) for family in families]
    if isinstance(families, str) or not names or len(set(names)) < len(names):
        raise ValueError(f"families must be one or more in a sequence, of different names, and are {families!r}")
    if len(x) == 0:
        raise ValueError("x must hold at least one datum, and is empty")
    if own is not None and own not in names:
        raise ValueError(f"own must be the name of a family, one of {', '.join(names)}, and is {own!r}")
    if restarts < 0:
        raise ValueError(f"restarts must be at least 0, and is {restarts}")
    rank = 0 if own is None else names.index(own)
    model = LatentVariableModel(model.prior, model.likelihood, model.posterior, chunk_size)
    score = partial(sampled_bound, model, x, num_samples=num_samples, seed=seed)
    climbs = dict(
        num_steps=num_steps, learning_rate=learning_rate, estimator=estimator, num_samples=num_fitted, progress=progress
    )
    looks = [look(model, x, seed=key(seed, "look", k)) for k in range(restarts)]

    with torch.no_grad():
        encoders_q, costs = _timed(lambda: model.qz_x(x), 0.0, len(x))
    rows, searches = {"encoder": score(q=encoders_q)}, {}
    all_costs = {"encoder": costs}
    if refitted is not None:
        with torch.no_grad():
            best_encoders_q, all_costs["refitted encoder"] = _timed(lambda: refitted(x), 0.0, len(x))
        rows["refitted encoder"] = score(q=best_encoders_q)
    start = moments(encoders_q, x.device) if rank > 0 and needs_moments(encoders_q) else encoders_q
    for k, (name, family) in enumerate(zip(names, families)):
        starts = [start, *([encoders_q] if k == rank > 0 else []), *looks]
        kept = len(starts) - restarts if restarts else 0
        work = partial(search_posteriors, model, x, family, starts=starts, keep=kept, seed=seed + 1, **climbs)
        search, cost = _timed(work, len(starts) * num_steps * num_fitted, len(x))
        rows[row := f"best {name} q"] = _score_best(score, search)
        searches[row], all_costs[row] = search, cost
        if k + 1 < len(names):
            start = search.gaussian()
        if doubt := in_doubt(row, search):
            warnings.warn(doubt, LocalOptimumWarning, stacklevel=2)
    if log_px is None:
        proposals = [encoders_q, *(candidate for search in searches.values() for candidate in search.candidates)]
        log_px = pooled_log_px(model, x, proposals, num_samples, seed=key(seed, "evidence"))
    poorer = [f"best {name} q" for name in names[:rank]]
    chain = dict(reversed([(name, row) for name, row in rows.items() if name not in poorer]))
    bounds, noise = ({name: row[k] for name, row in chain.items()} for k in (0, 1))
    beside = {name: Entry(*rows[name], log_px) for name in poorer}
    return GapLedger(log_px, bounds, noise, "refitted encoder" if refitted else None, all_costs, beside, searches)


@torch.no_grad()
def pooled_log_px(
    model: LatentVariableModel, x: Tensor, proposals: Sequence[td.Distribution], num_samples: int = 1000, seed: int = 0
) -> Tensor:
    r"""log p(x) by importance sampling from several proposals, their weights averaged, [B] in nats.

    Each proposal's average weight is an unbiased estimate of p(x), and so is their mean: its logarithm is a stochastic
    lower bound, like that of each, and at most the logarithm of their number below the best. (The largest of the
    logarithms, which some papers report, is no bound.)

    Args:
        model: its prior and likelihood are used.
        x: data of shape [B, D].
        proposals: distributions with batch shape [B].
        num_samples: samples per datum and proposal.
        seed: of the samples.
    """
    if not proposals:
        raise ValueError("proposals must hold one distribution at least, and is empty")
    at_once = max(1, (model.chunk_size or num_samples * len(x)) // len(x))
    sizes = [min(at_once, num_samples - start) for start in range(0, num_samples, at_once)]
    with seeded(seed, x.device):
        parts = [model.draw(x, size, q=q).log_w.logsumexp(0) for q in proposals for size in sizes]
    return torch.stack(parts).logsumexp(0) - math.log(len(proposals) * num_samples)


def _score_best(score: Callable, search: Search) -> tuple[Tensor, Tensor]:
    """The bound and its noise, each [B], of each datum's best candidate."""
    scored = [score(q=q) for q in search.candidates]
    return search.pick([bound for bound, _ in scored]), search.pick([noise for _, noise in scored])


def _timed(work: Callable, decoder_evaluations: float, num_data: int) -> tuple:
    """What some work gives, and what it cost per datum."""
    begin = time.perf_counter()
    result = work()
    return result, Cost(decoder_evaluations, (time.perf_counter() - begin) / num_data)


def _name(family: Family) -> str:
    """What a row of the ledger calls a family: of a partial, the name of its function."""
    while isinstance(family, partial):
        family = family.func
    return getattr(family, "__name__", str(family))
