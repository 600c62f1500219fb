"""Expectation maximisation: models whose exact posterior and best parameters are known in closed form."""

from vaecourse.em.base import EMModel, Trace
from vaecourse.em.mixtures import BernoulliMixture, GaussianMixture
from vaecourse.em.ppca import ProbabilisticPCA

__all__ = ["BernoulliMixture", "EMModel", "GaussianMixture", "ProbabilisticPCA", "Trace"]
