"""The gap ledger: log p(x) less the bound, split into what the family, the encoder and its training lose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import pandas as pd
import torch
from matplotlib.figure import Figure
from torch import Tensor

from vaecourse import plots
from vaecourse.evaluation.averages import mean_and_se
from vaecourse.inference import Search
from vaecourse.record import as_text, record

IDENTITY = 1e-3  # nats: what rounding may leave of the sum of the gaps


class Cost(NamedTuple):
    """What it took to infer the latents of one datum; the training of a network is not counted."""

    decoder_evaluations: float | None = None  # samples of z decoded, with or without a gradient, per datum
    seconds: float | None = None  # per datum


class Entry(NamedTuple):
    """A method's row beside the chain of the ledger."""

    bound: Tensor  # [B], nats
    noise: Tensor  # [B], its Monte-Carlo standard error; zeros where the bound is exact
    log_px: Tensor  # [B], the evidence of the model that the method ran on: another one where the decoder was retrained


@dataclass(frozen=True, repr=False)
class GapLedger:
    r"""Per datum, the steps down from log p(x) over the best q of each family to the encoder's bound, in nats.

    .. math:: \log p(x) - \mathcal L(q) = \underbrace{\log p(x) - \mathcal L(q^*)}_{\text{Gap 1: the family}}
              + \underbrace{\mathcal L(q^*) - \mathcal L(q^*_\phi)}_{\text{Gap 2: the encoder}}
              + \underbrace{\mathcal L(q^*_\phi) - \mathcal L(q_\phi)}_{\text{Gap 3: its training}}

    The first is the approximation gap; the other two are together the amortisation gap, and stay so where no encoder
    was refitted. Gap 3 may be negative for a single datum; its mean over the data that the encoder was refitted to is
    not. Methods that are none of these steps stand beside the chain, see :meth:`with_row`.

    Attributes:
        log_px: [B].
        bounds: name to bound [B], from the richest family's best q to the encoder's q, which is last; the one before
            it, or before the refitted encoder's, is the best q of the encoder's own family.
        noise: name to the Monte-Carlo standard error of each datum's bound, [B]; zeros where the bounds are exact.
        refitted: the name of the refitted encoder's row, or None.
        costs: name of a row to its :class:`Cost`.
        beside: name to the :class:`Entry` of what is no step of the chain, such as the best q of a poorer family.
        searches: name of a family's row to the :class:`~vaecourse.inference.Search` that found it.

    References:
        Cremer, Li & Duvenaud (2018), section 3, for the two gaps.

    Example:
        >>> bounds = {"best q": torch.tensor([-2.0, -4.0]), "encoder": torch.tensor([-2.5, -5.5])}
        >>> ledger = GapLedger(torch.tensor([-1.0, -2.0]), bounds, {name: torch.zeros(2) for name in bounds})
        >>> ledger.approximation_gap, ledger.amortisation_gap
        (tensor([1., 2.]), tensor([0.5000, 1.5000]))
    """

    log_px: Tensor
    bounds: dict[str, Tensor]
    noise: dict[str, Tensor]
    refitted: str | None = None
    costs: Mapping[str, Cost] = field(default_factory=dict)
    beside: Mapping[str, Entry] = field(default_factory=dict)
    searches: Mapping[str, Search] = field(default_factory=dict)

    def __post_init__(self):
        least = 2 if self.refitted is None else 3
        if len(self.bounds) < least:
            raise ValueError(f"bounds must have {least} rows at least, and has {len(self.bounds)}: {list(self.bounds)}")
        if self.refitted is not None and self.refitted != list(self.bounds)[-2]:
            raise ValueError(f"refitted must name the row before the encoder's, and is {self.refitted!r}")
        if set(self.noise) != set(self.bounds):
            raise ValueError(f"noise must have the rows of bounds, {list(self.bounds)}, and has {list(self.noise)}")
        for name, bound in self.bounds.items():
            _check(f"bounds[{name!r}]", bound, self.log_px)
        if (error := self.identity_error()) > IDENTITY:
            raise ValueError(
                f"bounds must be precise enough for their gaps to add up to {IDENTITY} nats, and miss by {error:.3g}: "
                f"{self.log_px.dtype} does not hold numbers as large as these"
            )

    @property
    def gaps(self) -> dict[str, Tensor]:
        """What each step loses, [B] in nats, under the name of the bound it leads to; they sum to :attr:`gap`."""
        heights = [self.log_px, *self.bounds.values()]
        return {name: above - below for name, above, below in zip(self.bounds, heights, heights[1:])}

    @property
    def gap(self) -> Tensor:
        """log p(x) less the encoder's bound, [B], which is KL(q(z|x) || p(z|x))."""
        return self.log_px - self._encoder

    @property
    def approximation_gap(self) -> Tensor:
        """Gap 1: what the best q of the encoder's family loses, [B]."""
        return self.log_px - self._best

    @property
    def amortisation_gap(self) -> Tensor:
        """What the encoder loses against the best q of its family, [B]: Gap 2 and Gap 3."""
        return self._best - self._encoder

    @property
    def encoder_gap(self) -> Tensor:
        """Gap 2: what the best encoder of this size loses against the best q of its family, [B]."""
        return self._best - self.bounds[self._refitted]

    @property
    def training_gap(self) -> Tensor:
        """Gap 3: what the encoder loses against the best of its size, [B]."""
        return self.bounds[self._refitted] - self._encoder

    @property
    def three(self) -> dict[str, Tensor]:
        """Gap 1, 2 and 3 by name, each [B]; the last two as one where no encoder was refitted."""
        first = {"gap 1: family": self.approximation_gap}
        if self.refitted is None:
            return first | {"gaps 2 + 3: amortisation": self.amortisation_gap}
        return first | {"gap 2: encoder": self.encoder_gap, "gap 3: training": self.training_gap}

    def identity_error(self, kl: Tensor | None = None) -> float:
        """The largest difference between a datum's gaps, summed, and its whole gap, in nats.

        Args:
            kl: KL(q(z|x) || p(z|x)) by another way, [B], such as quadrature; None for log p(x) less the bound, of which
                the sum can differ by rounding only.
        """
        return (sum(self.three.values()) - (self.gap if kl is None else kl)).abs().max().item()

    def with_row(
        self,
        name: str,
        bound: Tensor,
        *,
        noise: Tensor | None = None,
        decoder_evaluations: float | None = None,
        seconds: float | None = None,
        log_px: Tensor | None = None,
    ) -> GapLedger:
        """The ledger with one more method beside the chain.

        Args:
            name: of the method, new to the ledger.
            bound: [B] in nats, of the same data in the same order.
            noise: its Monte-Carlo standard error, [B]; None where it is exact.
            decoder_evaluations: per datum, at test time.
            seconds: per datum, at test time.
            log_px: [B], where the method has a decoder of its own; None for the ledger's.
        """
        if name in self.bounds or name in self.beside:
            raise ValueError(f"name must be new to the ledger, and {name!r} is a row of it")
        log_px = self.log_px if log_px is None else log_px
        noise = torch.zeros_like(bound) if noise is None else noise
        for what, values in (("bound", bound), ("noise", noise), ("log_px", log_px)):
            _check(what, values, self.log_px)
        beside = {**self.beside, name: Entry(bound, noise, log_px)}
        return replace(self, beside=beside, costs={**self.costs, name: Cost(decoder_evaluations, seconds)})

    def table(self) -> pd.DataFrame:
        """Mean over data and its standard error (over data, the Monte-Carlo noise included) of every bound and gap."""
        rows = {"log p(x)": self.log_px}
        rows |= {f"bound, {name}": bound for name, bound in self.bounds.items()}
        rows |= {"approximation gap": self.approximation_gap}
        if self.refitted is not None:
            rows |= {"encoder gap": self.encoder_gap, "training gap": self.training_gap}
        rows |= {"amortisation gap": self.amortisation_gap, "gap": self.gap}
        means = {name: mean_and_se(values) for name, values in rows.items()}
        return pd.DataFrame.from_dict(means, orient="index", columns=["mean", "se"])

    def methods(self) -> pd.DataFrame:
        """Every row as a method: its bound and gap, what it gains over the encoder (paired), and what that costs."""
        entries = {name: Entry(bound, self.noise[name], self.log_px) for name, bound in self.bounds.items()}
        rows = {}
        for name, entry in (entries | dict(self.beside)).items():
            cost = self.costs.get(name, Cost())
            rows[name] = (
                *mean_and_se(entry.bound),
                *mean_and_se(entry.log_px - entry.bound),
                *mean_and_se(entry.bound - self._encoder),
                *cost,
            )
        columns = ["bound", "bound se", "gap", "gap se", "over encoder", "over encoder se"]
        return pd.DataFrame.from_dict(rows, orient="index", columns=[*columns, "decoder evaluations", "seconds"])

    def waterfall(self, **options) -> Figure:
        """The gaps as a waterfall, on average and datum by datum; options are those of ``plots.gap_ledger``."""
        return plots.gap_ledger(self.three, **options)

    def record(self, prefix: str) -> None:
        """State log p(x), the gaps and the bounds beside the chain, for ``metrics.json``; names begin with a prefix."""
        named = {"log_px": self.log_px, "gap": self.gap, "gap_1": self.approximation_gap}
        if self.refitted is not None:
            named |= {"gap_2": self.encoder_gap, "gap_3": self.training_gap}
        named |= {"amortisation": self.amortisation_gap}
        named |= {f"bound_{_slug(name)}": entry.bound for name, entry in self.beside.items()}
        for name, values in named.items():
            record(f"{prefix}_{name}", *mean_and_se(values))

    def __repr__(self) -> str:
        """The table, each number with the digits that its standard error supports."""
        lines = {name: as_text(row["mean"], row["se"], "nats") for name, row in self.table().iterrows()}
        lines |= {f"bound, {name}": as_text(*mean_and_se(entry.bound), "nats") for name, entry in self.beside.items()}
        width = max(map(len, lines))
        doubts = [doubt for name, search in self.searches.items() if (doubt := in_doubt(name, search))]
        return "\n".join([*(f"{name:<{width}}  {text}" for name, text in lines.items()), *doubts])

    @property
    def _encoder(self) -> Tensor:
        return list(self.bounds.values())[-1]

    @property
    def _best(self) -> Tensor:
        return list(self.bounds.values())[-2 if self.refitted is None else -3]

    @property
    def _refitted(self) -> str:
        if self.refitted is None:
            raise ValueError("this ledger has no refitted encoder: of gaps 2 and 3 only their sum is known")
        return self.refitted


def in_doubt(name: str, search: Search) -> str:
    """What speaks against the best q of a family being the best, in one sentence; empty where nothing does."""
    suspects = search.suspects
    if not suspects.any():
        return ""
    lower = search.shortfall[suspects].mean()
    return (
        f"{name}: a local optimum is suspected on {int(suspects.sum())} of {len(suspects)} data, where one start alone "
        f"of {search.num_ends} came to the best end; the next ended {lower:.1f} nats below"
    )


def _slug(name: str) -> str:
    """A row's name as a part of an identifier."""
    return "_".join("".join(c if c.isalnum() else " " for c in name.lower()).split())


def _check(what: str, values: Tensor, log_px: Tensor) -> None:
    if values.shape != log_px.shape:
        raise ValueError(f"{what} must have the shape of log_px, {list(log_px.shape)}, and has {list(values.shape)}")
    if not values.isfinite().all():
        index = int((~values.isfinite()).nonzero()[0])
        raise ValueError(f"{what} must be finite, and is {values[index].item()} for datum {index}")
