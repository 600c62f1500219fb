"""Inference for one datum at a time, where a single pass of an encoder is not enough."""

from vaecourse.inference.boosting import Boosted, PerDatumMixture, boost, stratified
from vaecourse.inference.copies import PerDatumBijector, flow_family
from vaecourse.inference.cost import DecoderEvaluations
from vaecourse.inference.gradient_flow import gradient_flow
from vaecourse.inference.hamiltonian import Hamiltonian
from vaecourse.inference.hmc_on_top import HMCOnTop
from vaecourse.inference.implicit import ImplicitPosterior, JointContrastive, PriorContrastive
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
from vaecourse.inference.resampled import Resampled
from vaecourse.inference.restarts import (
    AGREEMENT,
    Search,
    look,
    moments,
    needs_moments,
    sampled_bound,
    search_posteriors,
)
from vaecourse.inference.updates import AdamAscent, Ascent, LearnedUpdate

__all__ = [
    "AGREEMENT",
    "AdamAscent",
    "Ascent",
    "Boosted",
    "DecoderEvaluations",
    "Family",
    "HMCOnTop",
    "Hamiltonian",
    "ImplicitPosterior",
    "JointContrastive",
    "LearnedUpdate",
    "LocalFit",
    "PerDatum",
    "PerDatumBijector",
    "PerDatumMixture",
    "PriorContrastive",
    "Refined",
    "Resampled",
    "Search",
    "boost",
    "diagonal",
    "every_step",
    "family_named",
    "flow_family",
    "full",
    "gradient_flow",
    "loc_and_scale_tril",
    "look",
    "moments",
    "needs_moments",
    "optimise_posteriors",
    "sampled_bound",
    "search_posteriors",
    "stratified",
    "svi_from_encoder",
]
