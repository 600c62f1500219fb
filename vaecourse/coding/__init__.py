"""Coding: a model as a lossless compressor, by bits-back coding on a stack of integers, and the coders of everyday.

A stack of symbols (:class:`Stack`), codecs that turn a distribution into integer frequencies on it, a network whose
outputs are the same on every machine (:class:`IntegerNetwork`), and :class:`BitsBack`, which is made of these.
"""

from vaecourse.coding.ans import Stack
from vaecourse.coding.bits_back import BitsBack
from vaecourse.coding.everyday import everyday_sizes
from vaecourse.coding.integer_network import FloatNetwork, IntegerNetwork
from vaecourse.coding.latents import GaussianCells
from vaecourse.coding.pixels import BernoulliCodec, BinomialCodec, CategoricalCodec, cumulative_frequencies
from vaecourse.coding.stream import CodeLength, code_length

__all__ = [
    "BernoulliCodec",
    "BinomialCodec",
    "BitsBack",
    "CategoricalCodec",
    "CodeLength",
    "FloatNetwork",
    "GaussianCells",
    "IntegerNetwork",
    "Stack",
    "code_length",
    "cumulative_frequencies",
    "everyday_sizes",
]
