"""Inference for one datum at a time, where a single pass of an encoder is not enough."""

from vaecourse.inference.cost import DecoderEvaluations
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
from vaecourse.inference.refined import Refined
from vaecourse.inference.refined_bounds import every_step, svi_from_encoder
from vaecourse.inference.updates import AdamAscent, Ascent, LearnedUpdate

__all__ = [
    "AdamAscent",
    "Ascent",
    "DecoderEvaluations",
    "Family",
    "LearnedUpdate",
    "LocalFit",
    "PerDatum",
    "Refined",
    "diagonal",
    "every_step",
    "family_named",
    "full",
    "loc_and_scale_tril",
    "optimise_posteriors",
    "svi_from_encoder",
]
