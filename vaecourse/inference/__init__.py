"""Inference for one datum at a time, where a single pass of an encoder is not enough."""

from vaecourse.inference.copies import PerDatumBijector, flow_family
from vaecourse.inference.per_datum import (
    Family,
    LocalFit,
    PerDatum,
    diagonal,
    family_named,
    full,
    loc_and_scale_tril,
    optimise_posteriors,
)
from vaecourse.inference.restarts import (
    AGREEMENT,
    Search,
    look,
    moments,
    needs_moments,
    sampled_bound,
    search_posteriors,
)

__all__ = [
    "AGREEMENT",
    "Family",
    "LocalFit",
    "PerDatum",
    "PerDatumBijector",
    "Search",
    "diagonal",
    "family_named",
    "flow_family",
    "full",
    "loc_and_scale_tril",
    "look",
    "moments",
    "needs_moments",
    "optimise_posteriors",
    "sampled_bound",
    "search_posteriors",
]
