"""The gap ledger: log p(x) less the bound, split into what the family loses and what the encoder loses."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import pandas as pd
import torch
import torch.distributions as td
from torch import Tensor

from vaecourse.evaluation.averages import mean_and_se
from vaecourse.inference import Family, optimise_posteriors
from vaecourse.model import LatentVariableModel
from vaecourse.randomness import seeded


@dataclass(frozen=True)
class GapLedger:
    r"""Per datum, the steps down from log p(x) over the best q of each family to the encoder's bound, in nats.

    .. math:: \log p(x) - \mathcal L(q) = \underbrace{\log p(x) - \mathcal L(q^*)}_{\text{approximation gap}}
              + \underbrace{\mathcal L(q^*) - \mathcal L(q)}_{\text{amortisation gap}}

    Attributes:
        log_px: [B].
        bounds: name to bound [B], from the richest family's best q to the encoder's q, which is last; the one before it
            is the best q of the encoder's own family.
        noise: name to the Monte-Carlo standard error of each datum's bound, [B]; zeros where the bounds are exact.

    References:
        Cremer, Li & Duvenaud (2018), section 3.
    """

    log_px: Tensor
    bounds: dict[str, Tensor]
    noise: dict[str, Tensor]

    @property
    def gaps(self) -> dict[str, Tensor]:
        """What each step loses, [B] in nats, under the name of the bound it leads to; they sum to :attr:`gap`."""
        heights = [self.log_px, *self.bounds.values()]
        return {name: above - below for name, above, below in zip(self.bounds, heights, heights[1:])}

    @property
    def gap(self) -> Tensor:
        """log p(x) less the encoder's bound, [B], which is KL(q(z|x) || p(z|x))."""
        return self.log_px - list(self.bounds.values())[-1]

    @property
    def approximation_gap(self) -> Tensor:
        """What the best q of the encoder's family loses, [B]."""
        return self.log_px - list(self.bounds.values())[-2]

    @property
    def amortisation_gap(self) -> Tensor:
        """What the encoder loses against the best q of its family, [B]."""
        return list(self.gaps.values())[-1]

    def table(self) -> pd.DataFrame:
        """Mean over data and its standard error (over data, the Monte-Carlo noise included) of every bound and gap."""
        rows = {"log p(x)": self.log_px}
        rows |= {f"bound, {name}": bound for name, bound in self.bounds.items()}
        rows |= {"approximation gap": self.approximation_gap, "amortisation gap": self.amortisation_gap}
        rows |= {"gap": self.gap}
        means = {name: mean_and_se(values) for name, values in rows.items()}
        return pd.DataFrame.from_dict(means, orient="index", columns=["mean", "se"])


def gap_ledger(
    model: LatentVariableModel,
    x: Tensor,
    log_px: Tensor,
    families: Sequence[Family] = ("diagonal",),
    num_samples: int = 1000,
    num_steps: int = 500,
    chunk_size: int = 20_000,
    seed: int = 0,
    progress: bool = False,
) -> GapLedger:
    """Optimise a q for each datum in each family, and hold log p(x), their bounds and the encoder's side by side.

    All bounds are estimated with fresh samples, not those that q was fitted to, and with the same noise, so that their
    differences are less noisy than they are. Each richer family starts where the poorer one ended: started anywhere
    else, it may end in another mode, and below.

    Args:
        model: with a Gaussian q(z|x) that can be reparameterised; it is not changed.
        x: data of shape [B, D], one realisation of the protocol.
        log_px: log p(x) in nats, [B]: exact, or a good estimate, whose error enters the approximation gap.
        families: as for :func:`~vaecourse.inference.optimise_posteriors`, from the encoder's own to the richest; the
            rows bear their names, so that functions need different ones.
        num_samples: samples per datum that each bound is estimated from.
        num_steps: of the local optimisation in each family.
        chunk_size: how many (sample, datum) pairs are decoded at once; it bounds the memory.
        seed: of the samples; the caller's random state is not changed.
        progress: show a bar over the steps.

    Returns:
        The :class:`GapLedger`.

    Raises:
        ValueError: log_px has another shape, x is empty, or two families have one name.
    """
    if log_px.shape != (len(x),):
        raise ValueError(f"log_px must have one number per datum, [{len(x)}], and has shape {list(log_px.shape)}")
    names = [_name(family) for family in families]
    if isinstance(families, str) or not names or len(set(names)) < len(names):
        raise ValueError(f"families must be one or more in a sequence, of different names, and are {families!r}")
    if len(x) == 0:
        raise ValueError("x must hold at least one datum, and is empty")
    model = LatentVariableModel(model.prior, model.likelihood, model.posterior, chunk_size)
    with torch.no_grad():
        q = model.qz_x(x)
    rows = {"encoder": _bound(model, x, q, num_samples, seed)}
    for name, family in zip(names, families):
        fit = optimise_posteriors(model, x, family, start=q, num_steps=num_steps, seed=seed + 1, progress=progress)
        q = fit.q
        rows[f"best {name} q"] = _bound(model, x, q, num_samples, seed)
    rows = dict(reversed(rows.items()))
    bounds, noise = ({name: row[k] for name, row in rows.items()} for k in (0, 1))
    return GapLedger(log_px, bounds, noise)


def _name(family: Family) -> str:
    """What a row of the ledger calls a family: of a partial, the name of its function."""
    while isinstance(family, partial):
        family = family.func
    return getattr(family, "__name__", str(family))


@torch.no_grad()
def _bound(
    model: LatentVariableModel, x: Tensor, q: td.Distribution, num_samples: int, seed: int
) -> tuple[Tensor, Tensor]:
    """The bound of a q and its Monte-Carlo standard error, each [B], under the noise of a seed."""
    if num_samples < 2:
        raise ValueError(f"num_samples must be at least 2, and is {num_samples}")
    pz = model.prior()
    with seeded(seed, x.device):
        at_once = max(1, model.chunk_size // len(x))
        sizes = [min(at_once, num_samples - start) for start in range(0, num_samples, at_once)]
        log_w = torch.cat([model.draw(x, size, q=q, pz=pz).log_w for size in sizes])  # [S, B]
    return log_w.mean(0), log_w.std(0) / math.sqrt(num_samples)
