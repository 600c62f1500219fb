"""A codec of Gaussian latents, cut into cells of equal prior mass.

A real number has no end of bits, but the cell it lies in has few, and bits-back coding gives back what the fineness of
the cells costs: the prior charges for it, and q, drawn out of the stack on the same cells, has paid it in advance.
"""

from __future__ import annotations

import numpy as np

from vaecourse.coding.ans import Stack
from vaecourse.coding.exact_functions import exp, normal_cdf, normal_quantile
from vaecourse.coding.integer_network import UNIT, integers

GRID = 1 << 8  # the table of the normal distribution has so many points to a standard deviation
END = 9  # and goes so many standard deviations far
ONE = 1 << 40  # probability 1 in that table
LARGEST_LOG_SCALE = 8  # a log-scale beyond it counts as it


class GaussianCells:
    r"""Latents z in 2^b cells of prior mass 2^-b each: uniform under the prior, a cut-up Gaussian under q.

    A cell's mass under q is the difference of q's distribution function at its edges, which are quantiles of N(0, 1).
    That function is looked up between the points of a table, by products and sums of two numbers, which are the same on
    every machine and rise whenever their factors do: so no cell is empty.

    Args:
        num_cell_bits: b.
        precision: r, of the frequencies under q; above b.

    Attributes:
        centres: the z that stands for each cell, [2^b] in units of 2^-12: the median of the prior there.

    References:
        Townsend, Bird & Barber (2019), Practical lossless compression with latent variables using bits back coding,
        section 2.5.1.
    """

    def __init__(self, num_cell_bits: int, precision: int):
        if not 1 <= num_cell_bits < precision:
            raise ValueError(
                f"num_cell_bits must be between 1 and {precision - 1} at precision {precision}, and is {num_cell_bits}"
            )
        self.num_cell_bits = num_cell_bits
        self.precision = precision
        number = 1 << num_cell_bits
        quantiles = normal_quantile(np.arange(1, 2 * number) / (2 * number))
        self.centres = integers(quantiles[::2])
        self.edges = np.concatenate([[-np.inf], quantiles[1::2], [np.inf]])
        table = np.rint(normal_cdf(np.arange(-END * GRID, END * GRID + 1) / GRID) * ONE)
        table[0], table[-1] = 0, ONE
        self.table = np.append(table, ONE)  # once more, to look one point ahead
        log_scales = np.arange(-LARGEST_LOG_SCALE * UNIT, LARGEST_LOG_SCALE * UNIT + 1) / UNIT
        self.inverse_scales = exp(-log_scales)

    def cumulative(self, cell: np.ndarray, loc: np.ndarray, inverse_scale: np.ndarray) -> np.ndarray:
        """Where the interval of a cell begins under q, int64; every cell keeps at least one of 2^r.

        Args:
            cell: from 0 to 2^b, of any shape.
            loc: q's mean in units of 2^-12, of the same shape.
            inverse_scale: one over q's standard deviation, likewise.
        """
        u = np.clip((self.edges[cell] - loc / UNIT) * inverse_scale, -END, END) * GRID
        point = np.floor(u)
        place = point.astype(np.int64) + END * GRID
        low = self.table[place]
        mass = low + (self.table[place + 1] - low) * (u - point)
        return np.floor(mass * ((1 << self.precision) - len(self.centres)) / ONE).astype(np.int64) + cell

    def push(self, stack: Stack, cells: np.ndarray, outputs: np.ndarray) -> None:
        """Push cells, int64 [B, L], under q, given the encoder's outputs [B, 2L]: means, then log-scales."""
        loc, inverse_scale = self._parameters(outputs)
        start = self.cumulative(cells, loc, inverse_scale)
        frequency = self.cumulative(cells + 1, loc, inverse_scale) - start
        stack.push(start.T[::-1], frequency.T[::-1], self.precision)

    def pop(self, stack: Stack, outputs: np.ndarray) -> np.ndarray:
        """Pop cells under q; from a stack on which there are none, draw them: that is z ~ q(z|x)."""
        parameters = [part.T for part in self._parameters(outputs)]  # [L, B]
        cells = np.empty(parameters[0].shape, np.int64)
        for latent, (loc, inverse_scale) in enumerate(zip(*parameters)):
            point = stack.peek(self.precision, len(loc)).astype(np.int64)
            cell, step = np.zeros(len(loc), np.int64), 1 << self.num_cell_bits
            while step := step // 2:  # the last cell that begins at the point or below
                cell += step * (self.cumulative(cell + step, loc, inverse_scale) <= point)
            start = self.cumulative(cell, loc, inverse_scale)
            stack.pop(start, self.cumulative(cell + 1, loc, inverse_scale) - start, self.precision)
            cells[latent] = cell
        return cells.T

    def push_under_prior(self, stack: Stack, cells: np.ndarray) -> None:
        """Push cells [B, L] under the prior: b bits each."""
        stack.push(cells.T[::-1], np.ones_like(cells.T), self.num_cell_bits)

    def pop_under_prior(self, stack: Stack, num_latents: int, num_lanes: int) -> np.ndarray:
        """Pop cells under the prior, [B, L]."""
        cells = np.empty((num_lanes, num_latents), np.int64)
        for latent in range(num_latents):
            cells[:, latent] = stack.peek(self.num_cell_bits, num_lanes)
            stack.pop(cells[:, latent], np.ones(num_lanes), self.num_cell_bits)
        return cells

    def _parameters(self, outputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        loc, log_scale = np.split(outputs, 2, axis=-1)
        largest = LARGEST_LOG_SCALE * UNIT
        return loc, self.inverse_scales[(np.clip(log_scale, -largest, largest) + largest).astype(np.int64)]
