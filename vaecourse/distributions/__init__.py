"""Distributions: what fills the slots of a model, how it is sampled with its density, and families that torch lacks."""

from vaecourse.distributions import kl  # registers what torch lacks
from vaecourse.distributions.affine import Affine
from vaecourse.distributions.autoregressive import Autoregression
from vaecourse.distributions.chain import Chain, Layer, layers_of
from vaecourse.distributions.conditional import Conditional, Given, full_precision
from vaecourse.distributions.continuous_bernoulli import ContinuousBernoulli
from vaecourse.distributions.discrete import Categorical, FactorisedBernoulli, states
from vaecourse.distributions.discretised_logistic import DiscretisedLogistic
from vaecourse.distributions.extended import ExtendedDistribution
from vaecourse.distributions.factorised import kl_per_latent
from vaecourse.distributions.implicit_gradient import Implicit
from vaecourse.distributions.inverse_cdf import InverseCDF
from vaecourse.distributions.mixture import ConditionalMixture, responsibilities
from vaecourse.distributions.piecewise import Piecewise, PiecewiseConstant
from vaecourse.distributions.quantile import quantile
from vaecourse.distributions.sampling import (
    frozen,
    frozen_module,
    full_precision_arithmetic,
    has_jumps,
    log_prob,
    sample_and_log_prob,
    with_tensors,
)
from vaecourse.distributions.von_mises import VonMises

__all__ = [
    "Affine",
    "Autoregression",
    "Categorical",
    "Chain",
    "Conditional",
    "ConditionalMixture",
    "ContinuousBernoulli",
    "DiscretisedLogistic",
    "ExtendedDistribution",
    "FactorisedBernoulli",
    "Given",
    "Implicit",
    "InverseCDF",
    "Layer",
    "Piecewise",
    "PiecewiseConstant",
    "VonMises",
    "frozen",
    "frozen_module",
    "full_precision",
    "full_precision_arithmetic",
    "has_jumps",
    "kl",
    "kl_per_latent",
    "layers_of",
    "log_prob",
    "quantile",
    "responsibilities",
    "sample_and_log_prob",
    "states",
    "with_tensors",
]
