"""Have the chains met, and what are their draws worth: R-hat and effective sample size, through ArviZ."""

from __future__ import annotations

import math
import warnings
from typing import Any

import torch
from arviz_stats.base import array_stats
from torch import Tensor

KINDS = ("bulk", "tail", "mean")


def r_hat(positions: Tensor) -> Tensor:
    r"""Rank-normalised split R-hat: the spread of all draws over that within chains; 1 where chains agree.

    The larger of two: on the ranks of the draws, which finds chains at different places, and on the ranks of their
    distance from the median, which finds chains of different width. It finds no mode that every chain missed.

    Chains that have met still differ by chance: half a chain that is worth n independent draws leaves about
    :math:`\sqrt{1 + 1/n}`, so that 1.01 asks for some 50 in each, and many short chains do not get there.

    Args:
        positions: draws [T, C, ...] of T steps in C chains, at least 4 and 2.

    Returns:
        One number for each variable, [...], float64 on the CPU; above 1.01 the chains need longer. NaN for a variable
        that never moves in any chain, which has no spread within chains to compare with.

    Raises:
        ValueError: there are too few draws or chains, or a draw is not finite.

    Warns:
        UserWarning: a variable never moves in any chain.

    References:
        Vehtari, Gelman, Simpson, Carpenter & Bürkner (2021), section 3 and equation 14.

    Example:
        >>> draws = torch.randn(500, 4, 2, generator=torch.Generator().manual_seed(0))
        >>> r_hat(draws).round(decimals=1)
        tensor([1., 1.], dtype=torch.float64)
    """
    _check(positions, least_chains=2)
    stuck = _stuck(positions, "R-hat")
    draws = _loosened(positions, stuck)
    return _without(stuck, array_stats.rhat(draws.numpy(), chain_axis=1, draw_axis=0))


def effective_sample_size(positions: Tensor, kind: str = "bulk") -> Tensor:
    """How many independent draws would estimate as well as these T C dependent ones do.

    Args:
        positions: draws [T, C, ...] of T steps in C chains, at least 4 and 1.
        kind: "bulk" for the centre (on ranks), "tail" for the 5 % and 95 % quantiles, the lesser of the two, or
            "mean" for the mean itself: its Monte-Carlo error is the standard deviation over the root of this.

    Returns:
        One number for each variable, [...], float64 on the CPU. It can exceed T C, where draws alternate about the
        mean. NaN for a variable that never moves in any chain: its draws are one draw a chain, from nobody knows where.
        A single chain that never moves among others that do shows in R-hat, not here.

    Raises:
        ValueError: there are too few draws, a draw is not finite, or kind is none of these.

    Warns:
        UserWarning: a variable never moves in any chain.

    References:
        Vehtari, Gelman, Simpson, Carpenter & Bürkner (2021), sections 3.2 and 4; Geyer (1992) for where the sum of
        autocorrelations is cut.

    Example:
        >>> draws = torch.randn(500, 4, 2, generator=torch.Generator().manual_seed(0)).cumsum(0)  # two random walks
        >>> bool((effective_sample_size(draws) < 20).all())
        True
    """
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, and is {kind!r}")
    _check(positions, least_chains=1)
    prob = {"prob": (0.05, 0.95)} if kind == "tail" else {}
    stuck = _stuck(positions, "effective sample size")
    draws = _loosened(positions, stuck)
    return _without(stuck, array_stats.ess(draws.numpy(), chain_axis=1, draw_axis=0, method=kind, **prob))


def _stuck(positions: Tensor, name: str) -> Tensor:
    """Which variables, [...], are the same at all times in every chain, with a warning that their diagnostic is NaN."""
    stuck = (positions == positions[:1]).flatten(0, 1).all(0).cpu()
    if stuck.any():
        warnings.warn(
            f"{int(stuck.sum())} of {stuck.numel()} variables never move in any of the {positions.shape[1]} chains: "
            f"their {name} is NaN",
            stacklevel=3,
        )
    return stuck


def _loosened(positions: Tensor, stuck: Tensor) -> Tensor:
    """Float64 draws, those that never move replaced by any that do: their result is not used."""
    draws = positions.cpu().double()
    times = torch.arange(len(draws), dtype=draws.dtype).reshape(-1, *[1] * (draws.ndim - 1))
    return torch.where(stuck, times, draws)


def _without(stuck: Tensor, result: Any) -> Tensor:
    return torch.where(stuck, math.nan, torch.as_tensor(result))


def _check(positions: Tensor, least_chains: int) -> None:
    if positions.ndim < 2 or positions.shape[0] < 4 or positions.shape[1] < least_chains:
        raise ValueError(
            f"positions must be [T, C, ...] of at least 4 steps and {least_chains} chains; got {list(positions.shape)}"
        )
    if not positions.isfinite().all():
        raise ValueError(f"positions must be finite; {int((~positions.isfinite()).sum())} of the values are not")
