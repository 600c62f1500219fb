"""The refusal of numbers that are none: an average would hide which datum and which weights they come from."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def check_finite(values: Tensor, what: str, model: nn.Module) -> None:
    """Refuse values with a NaN or an infinity among them, and name the weights that are to blame, if any are.

    Args:
        values: one row per datum, [B, ...].
        what: what they are, in the words of the sentence, such as "the mean of q(z|x)".
        model: whose parameters are looked at.

    Raises:
        ValueError: with the first such datum, and the first parameter with such a value.
    """
    finite = values.isfinite()
    if bool(finite.all()):
        return
    datum, bad = int((~finite).nonzero()[0, 0]), values[~finite][0].item()
    tensors = model.state_dict().items()
    wild = (name for name, value in tensors if value.is_floating_point() and not bool(torch.isfinite(value).all()))
    name = next(wild, None)
    why = "although all weights are finite" if name is None else f"because the weights {name} are not all finite"
    raise ValueError(f"{what} is {bad:g} at datum {datum}, {why}")
