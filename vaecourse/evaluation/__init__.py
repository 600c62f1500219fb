"""Evaluation: what a trained model is worth on data it has not seen, in nats."""

from vaecourse.evaluation.active_units import ActiveUnits, active_units
from vaecourse.evaluation.averages import mean_and_se, mean_bound
from vaecourse.evaluation.importance import ImportanceEstimate, importance_log_likelihood
from vaecourse.evaluation.ledger import GapLedger, gap_ledger
from vaecourse.evaluation.surgery import Surgery, elbo_surgery

__all__ = [
    "ActiveUnits",
    "GapLedger",
    "ImportanceEstimate",
    "Surgery",
    "active_units",
    "elbo_surgery",
    "gap_ledger",
    "importance_log_likelihood",
    "mean_and_se",
    "mean_bound",
]
