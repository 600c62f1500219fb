"""Evaluation: what a trained model is worth on data it has not seen, in nats."""

from vaecourse.evaluation.averages import mean_and_se, mean_bound
from vaecourse.evaluation.importance import ImportanceEstimate, importance_log_likelihood
from vaecourse.evaluation.ledger import GapLedger, gap_ledger

__all__ = [
    "GapLedger",
    "ImportanceEstimate",
    "gap_ledger",
    "importance_log_likelihood",
    "mean_and_se",
    "mean_bound",
]
