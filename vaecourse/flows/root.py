"""Roots of increasing functions: the inverse of a bijector that has none in closed form."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor


def solve_increasing(function: Callable[[Tensor], tuple[Tensor, Tensor]], low: Tensor, high: Tensor) -> Tensor:
    r"""The root of an increasing function that lies between two points, elementwise, with its gradient.

    Bisection halves the bracket until the dtype can tell its ends no more apart, without a gradient. One Newton step
    follows, for its gradient more than for its digits: at a root r of f(r; theta) = 0

    .. math:: r' = r - \frac{f(r; \theta)}{f'(r)}, \qquad
              \frac{\partial r'}{\partial\theta} = -\frac{\partial f / \partial\theta}{f'(r)},

    which is what the implicit function theorem says of the root. Nothing has to be kept of the search. First
    derivatives are right; a second one would miss that r moves.

    Args:
        function: from points a [...] to f(a) and its slope f'(a) > 0, both [...], each place by itself. The gradient
            reaches what f depends on; the slope is used as a number.
        low: where f is at most zero, [...].
        high: where f is at least zero, [...]. Where the two do not hold the root, the nearer of them comes back.

    Returns:
        The roots [...], of the shape to which low, high and f(a) broadcast.

    Example:
        >>> two = torch.tensor(2.0, requires_grad=True)
        >>> root = solve_increasing(lambda a: (a**2 - two, 2 * a), torch.tensor(0.0), torch.tensor(2.0))
        >>> root.backward()
        >>> round(root.item(), 6), round(two.grad.item(), 6)  # the root of two, and its slope 1 / (2 sqrt 2)
        (1.414214, 0.353553)
    """
    with torch.no_grad():
        for _ in range(2 + round(-math.log2(torch.finfo(low.dtype).eps))):
            middle = (low + high) / 2
            below = function(middle)[0] < 0
            low, high = torch.where(below, middle, low), torch.where(below, high, middle)
        root = (low + high) / 2
    value, slope = function(root)
    step = value / slope.detach()
    # Where the slope almost vanishes the step is rounding magnified: it stays in the bracket, its gradient as it is.
    inside = torch.clamp(step.detach(), root - high, root - low)
    return root - (step + (inside - step.detach()))
