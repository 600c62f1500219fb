"""Estimators: the value is the bound, the gradient with respect to all parameters is the estimator the name says.

Every estimator is called as ``estimator(model, x, num_samples)`` and returns one number per datum, [B], in nats. Those
with parameters of their own are modules, called the same way and trained along with the model.
"""

from vaecourse.estimators.control_variates import optimal_control_variate, rao_blackwellised
from vaecourse.estimators.dreg import dreg
from vaecourse.estimators.free_bits import free_bits
from vaecourse.estimators.layers import layerwise_kl
from vaecourse.estimators.pathwise import analytic_kl, pathwise, stl
from vaecourse.estimators.relaxed import gumbel_softmax, straight_through
from vaecourse.estimators.score_function import NVIL, score_function
from vaecourse.estimators.vimco import iwae_score_function, vimco

__all__ = [
    "NVIL",
    "analytic_kl",
    "dreg",
    "free_bits",
    "gumbel_softmax",
    "iwae_score_function",
    "layerwise_kl",
    "optimal_control_variate",
    "pathwise",
    "rao_blackwellised",
    "score_function",
    "stl",
    "straight_through",
    "vimco",
]
