"""Likelihoods p(x|z): a network gives the parameters, the distribution gives the nats, summed over the D dimensions."""

from vaecourse.likelihoods.autoregressive import Autoregressive
from vaecourse.likelihoods.independent import (
    Bernoulli,
    Binomial,
    CategoricalPixels,
    ContinuousBernoulli,
    DiscretisedLogistic,
    Gaussian,
)
from vaecourse.likelihoods.support import check_support

__all__ = [
    "Autoregressive",
    "Bernoulli",
    "Binomial",
    "CategoricalPixels",
    "ContinuousBernoulli",
    "DiscretisedLogistic",
    "Gaussian",
    "check_support",
]
