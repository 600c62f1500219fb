"""Where tensors live: the one place that asks which accelerator there is."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def device() -> torch.device:
    """The best device of this machine: its accelerator if it has one, else the CPU.

    Returns:
        A ``torch.device``. ``VAECOURSE_DEVICE`` in the environment overrides the choice.
    """
    import torch  # here, so that the command line answers before PyTorch is loaded

    if chosen := os.environ.get("VAECOURSE_DEVICE"):
        return torch.device(chosen)
    found = torch.accelerator.current_accelerator(check_available=True)
    return found if found is not None else torch.device("cpu")
