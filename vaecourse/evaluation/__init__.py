"""Evaluation: what a trained model is worth on data it has not seen, in nats."""

from vaecourse.evaluation.active_units import ActiveUnits, active_units
from vaecourse.evaluation.adaptation import PathAdaptation, adapt_path
from vaecourse.evaluation.ais import ais
from vaecourse.evaluation.averages import mean_and_se, mean_bound
from vaecourse.evaluation.bidirectional import Sandwich, bidirectional
from vaecourse.evaluation.estimate import LogLikelihood
from vaecourse.evaluation.gaps import LocalOptimumWarning, gap_ledger, pooled_log_px
from vaecourse.evaluation.importance import importance_log_likelihood
from vaecourse.evaluation.layers import LayerTerms, layer_rates, layer_terms
from vaecourse.evaluation.ledger import Cost, Entry, GapLedger
from vaecourse.evaluation.memory import PeakMemory
from vaecourse.evaluation.pareto import pareto_khat
from vaecourse.evaluation.refit import Refit, refit_encoder
from vaecourse.evaluation.scoreboard import Front, Score, board_table, lead, measure, pareto_front, scoreboard
from vaecourse.evaluation.source_lines import num_lines
from vaecourse.evaluation.surgery import Surgery, elbo_surgery

__all__ = [
    "ActiveUnits",
    "Cost",
    "Entry",
    "Front",
    "GapLedger",
    "LayerTerms",
    "LocalOptimumWarning",
    "LogLikelihood",
    "PathAdaptation",
    "PeakMemory",
    "Refit",
    "Sandwich",
    "Score",
    "Surgery",
    "active_units",
    "adapt_path",
    "ais",
    "bidirectional",
    "board_table",
    "elbo_surgery",
    "gap_ledger",
    "importance_log_likelihood",
    "layer_rates",
    "layer_terms",
    "lead",
    "mean_and_se",
    "mean_bound",
    "measure",
    "num_lines",
    "pareto_front",
    "pareto_khat",
    "pooled_log_px",
    "refit_encoder",
    "scoreboard",
]
