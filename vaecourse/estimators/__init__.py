"""Estimators: the value is the bound, the gradient with respect to all parameters is the estimator the name says.

Every estimator is called as ``estimator(model, x, num_samples)`` and returns one number per datum, [B], in nats.
"""

from vaecourse.estimators.pathwise import analytic_kl, pathwise, stl

__all__ = ["analytic_kl", "pathwise", "stl"]
