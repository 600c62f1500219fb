"""Inference for one datum at a time, where a single pass of an encoder is not enough."""

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

__all__ = [
    "Family",
    "LocalFit",
    "PerDatum",
    "diagonal",
    "family_named",
    "full",
    "loc_and_scale_tril",
    "optimise_posteriors",
]
