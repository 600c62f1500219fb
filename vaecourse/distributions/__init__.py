"""Distributions: what fills the slots of a model, how it is sampled with its density, and families that torch lacks."""

from vaecourse.distributions import kl  # registers what torch lacks
from vaecourse.distributions.affine import Affine
from vaecourse.distributions.conditional import Conditional, Given, full_precision
from vaecourse.distributions.continuous_bernoulli import ContinuousBernoulli
from vaecourse.distributions.implicit_gradient import Implicit
from vaecourse.distributions.inverse_cdf import InverseCDF
from vaecourse.distributions.sampling import frozen, rsample_and_log_prob
from vaecourse.distributions.von_mises import VonMises

__all__ = [
    "Affine",
    "Conditional",
    "ContinuousBernoulli",
    "Given",
    "Implicit",
    "InverseCDF",
    "VonMises",
    "frozen",
    "full_precision",
    "kl",
    "rsample_and_log_prob",
]
