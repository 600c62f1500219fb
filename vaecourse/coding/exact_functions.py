r"""exp, tanh, the logistic function and the normal distribution, the same to the last bit on every machine.

The standard IEEE 754 fixes each :math:`+ - \times \div` of two float64 numbers, and floor, to the last bit: there is
one right answer. It does not fix exp, tanh or erf, which every library computes in its own way, nor the order in which
a sum or a matrix product is added up. Here are these functions of nothing but the four operations, number by number,
for tables that encoder and decoder must agree about.
"""

from __future__ import annotations

import numpy as np


def exp(x: np.ndarray) -> np.ndarray:
    """e^x to 13 digits, for x in [-64, 64]: its series at x / 2^k, squared k times.

    Example:
        >>> bool(abs(exp(np.array([1.0]))[0] - 2.718281828459045) < 1e-13)
        True
    """
    halvings = 6
    x = np.asarray(x, np.float64) / 2**halvings
    result = np.ones_like(x)
    for k in range(20, 0, -1):  # 1 + x (1 + x/2 (1 + x/3 (...)))
        result = 1.0 + result * x / k
    for _ in range(halvings):
        result = result * result
    return result


def tanh(x: np.ndarray) -> np.ndarray:
    """The hyperbolic tangent."""
    return 2.0 * sigmoid(2.0 * np.asarray(x, np.float64)) - 1.0


def sigmoid(x: np.ndarray) -> np.ndarray:
    """1 / (1 + e^-x)."""
    return 1.0 / (1.0 + exp(-np.asarray(x, np.float64)))


def normal_cdf(x: np.ndarray) -> np.ndarray:
    r"""The probability of a standard normal below x, to 1e-13, for x in [-9, 9].

    .. math:: \Phi(x) = \frac12
              + \frac{e^{-x^2/2}}{\sqrt{2\pi}} \left(x + \frac{x^3}{3} + \frac{x^5}{3 \cdot 5} + \dots\right)

    References:
        Marsaglia (2004), Evaluating the normal distribution.
    """
    x = np.asarray(x, np.float64)
    term = total = x
    for odd in range(3, 241, 2):
        term = term * x * x / odd
        total = total + term
    return 0.5 + exp(-0.5 * x * x) * 0.3989422804014327 * total


def normal_quantile(p: np.ndarray) -> np.ndarray:
    """Where :func:`normal_cdf` is p, by bisection, for p in [1e-9, 1 - 1e-9]."""
    p = np.asarray(p, np.float64)
    low, high = np.full_like(p, -8.0), np.full_like(p, 8.0)
    for _ in range(56):
        middle = 0.5 * (low + high)
        below = normal_cdf(middle) < p
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return 0.5 * (low + high)
