"""Inference for one datum at a time, or one model at a time, where a single pass of an encoder is not enough."""

from vaecourse.inference.per_datum import LocalFit, PerDatum, loc_and_scale_tril, optimise_posteriors, per_datum

__all__ = ["LocalFit", "PerDatum", "loc_and_scale_tril", "optimise_posteriors", "per_datum"]
