"""Codecs of an image's pixels: from the decoder's outputs to integer frequencies, and with these onto the stack.

The outputs come in units of 2^-12, as integers; they are rounded to 2^-8, and tables of
:mod:`~vaecourse.coding.exact_functions` do the rest. Every value that a pixel can have keeps a frequency of at least 1
of 2^r, so that what the model takes to be impossible costs r bits and not infinitely many.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import numpy as np

from vaecourse.coding.ans import Stack
from vaecourse.coding.exact_functions import exp, sigmoid
from vaecourse.coding.integer_network import FRACTION

GRID = 8  # logits are rounded to 2^-8, which costs at most 1e-6 bits a binary pixel, n times that for n trials
LIMIT = 20 << GRID  # and cut at -20 and 20, beyond any frequency


def cumulative_frequencies(weights: np.ndarray, precision: int) -> np.ndarray:
    """Where each symbol's interval in [0, 2^r) begins, and at the end 2^r: in proportion to the weights, none empty.

    Args:
        weights: integers [..., K] from 0, not all zero; their sum times 2^r must stay below 2^63.
        precision: r; 2^r must be above K.

    Returns:
        int64 [..., K + 1].

    Example:
        >>> cumulative_frequencies(np.array([1, 0, 3]), 4)
        array([ 0,  4,  5, 16])
    """
    num_symbols = weights.shape[-1]
    below = np.zeros((*weights.shape[:-1], num_symbols + 1), np.int64)
    np.cumsum(weights, -1, out=below[..., 1:])
    return below * ((1 << precision) - num_symbols) // below[..., -1:] + np.arange(num_symbols + 1)


def _rounded(logits: np.ndarray) -> np.ndarray:
    """From units of 2^-12 to units of 2^-8, int64, halves up."""
    return np.floor(logits / 2 ** (FRACTION - GRID) + 0.5).astype(np.int64)


class PixelCodec(ABC):
    """Pixels 0, ..., K - 1, independent given the decoder's outputs; the first one ends up on top.

    Attributes:
        largest: K - 1.
        table: the integers that it looks up.
    """

    def __init__(self, largest: int, precision: int):
        if largest + 1 >= 1 << precision:
            raise ValueError(f"precision must give each of {largest + 1} values a frequency, and is {precision}")
        self.largest = largest
        self.precision = precision

    @abstractmethod
    def cumulative(self, outputs: np.ndarray, pixel: int) -> np.ndarray:
        """The cumulative frequencies [B, K + 1] of one pixel, given the decoder's outputs [B, out]."""

    def push(self, stack: Stack, x: np.ndarray, outputs: np.ndarray) -> None:
        """Push images x, int64 [B, D], one onto each lane."""
        lane = np.arange(len(x))
        for pixel in reversed(range(x.shape[1])):
            below, value = self.cumulative(outputs, pixel), x[:, pixel]
            start = below[lane, value]
            stack.push(start, below[lane, value + 1] - start, self.precision)

    def pop(self, stack: Stack, outputs: np.ndarray, num_pixels: int) -> np.ndarray:
        """Pop the images that were pushed last, one from each of the first lanes."""
        lane = np.arange(len(outputs))
        x = np.empty((len(outputs), num_pixels), np.int64)
        for pixel in range(num_pixels):
            below = self.cumulative(outputs, pixel)
            point = stack.peek(self.precision, len(x)).astype(np.int64)
            value = np.count_nonzero(below[:, 1:] <= point[:, None], axis=1)
            start = below[lane, value]
            stack.pop(start, below[lane, value + 1] - start, self.precision)
            x[:, pixel] = value
        return x


class BernoulliCodec(PixelCodec):
    """Binary pixels: of 2^r points the first ones mean 0, the others 1. Outputs are logits [B, D]."""

    def __init__(self, precision: int):
        super().__init__(1, precision)
        p = sigmoid(-np.arange(-LIMIT, LIMIT + 1) / (1 << GRID))
        self.table = 1 + np.floor(p * ((1 << precision) - 2)).astype(np.int64)  # the frequency of 0, for every logit

    def cumulative(self, outputs: np.ndarray, pixel: int) -> np.ndarray:
        """[B, 3]: 0, the frequency of 0, 2^r."""
        zero = self._zero(outputs[:, pixel])
        return np.stack([np.zeros_like(zero), zero, np.full_like(zero, 1 << self.precision)], -1)

    def push(self, stack: Stack, x: np.ndarray, outputs: np.ndarray) -> None:
        """As every codec does it, but for all pixels in one call."""
        zero, ink = self._zero(outputs.T[::-1]), x.T[::-1] > 0  # [D, B], the last pixel first
        stack.push(np.where(ink, zero, 0), np.where(ink, (1 << self.precision) - zero, zero), self.precision)

    def pop(self, stack: Stack, outputs: np.ndarray, num_pixels: int) -> np.ndarray:
        """As every codec does it, but with one comparison a pixel."""
        zeros = np.ascontiguousarray(self._zero(outputs.T)).view(np.uint64)  # [D, B]
        nothing, all_points = np.uint64(0), np.uint64(1 << self.precision)
        ink = np.empty((num_pixels, len(outputs)), bool)
        for zero, here in zip(zeros, ink):
            np.greater_equal(stack.peek(self.precision, len(zero)), zero, out=here)
            stack.pop(np.where(here, zero, nothing), np.where(here, all_points - zero, zero), self.precision)
        return ink.T.astype(np.int64)

    def _zero(self, logits: np.ndarray) -> np.ndarray:
        return self.table[np.clip(_rounded(logits), -LIMIT, LIMIT) + LIMIT]


class BinomialCodec(PixelCodec):
    """Counts 0, ..., n of Binomial(n, sigmoid(logit)): one row of frequencies for every logit. Outputs are [B, D]."""

    def __init__(self, total_count: int, precision: int):
        super().__init__(total_count, precision)
        logits = np.arange(-LIMIT, LIMIT + 1) / (1 << GRID)
        success, failure = sigmoid(logits), sigmoid(-logits)
        powers = [np.ones((2, len(logits)))]
        for _ in range(total_count):
            powers.append(powers[-1] * np.stack([success, failure]))
        mass = [powers[k][0] * powers[total_count - k][1] * math.comb(total_count, k) for k in range(total_count + 1)]
        self.table = cumulative_frequencies(np.floor(np.stack(mass, -1) * (1 << 31)).astype(np.int64), precision)

    def cumulative(self, outputs: np.ndarray, pixel: int) -> np.ndarray:
        """[B, n + 2]."""
        return self.table[np.clip(_rounded(outputs[:, pixel]), -LIMIT, LIMIT) + LIMIT]


class CategoricalCodec(PixelCodec):
    """Pixels of K levels with a logit for each: frequencies in proportion to exp(logit). Outputs are [B, D K]."""

    def __init__(self, num_levels: int, precision: int):
        super().__init__(num_levels - 1, precision)
        digits = min(31, 63 - precision - (num_levels - 1).bit_length())  # K of them, times 2^r, stay below 2^63
        self.table = np.floor(exp(-np.arange(LIMIT + 1) / (1 << GRID)) * (1 << digits)).astype(np.int64)

    def cumulative(self, outputs: np.ndarray, pixel: int) -> np.ndarray:
        """[B, K + 1]."""
        num_levels = self.largest + 1
        logits = _rounded(outputs[:, pixel * num_levels : (pixel + 1) * num_levels])
        below_highest = np.minimum(logits.max(-1, keepdims=True) - logits, LIMIT)
        return cumulative_frequencies(self.table[below_highest], self.precision)
