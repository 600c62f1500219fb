"""Where tensors live: the one place that asks which accelerator there is."""

import os

import torch


def device() -> torch.device:
    """The best device of this machine: its accelerator if it has one, else the CPU.

    Returns:
        A ``torch.device``. ``VAECOURSE_DEVICE`` in the environment overrides the choice.
    """
    if chosen := os.environ.get("VAECOURSE_DEVICE"):
        return torch.device(chosen)
    found = torch.accelerator.current_accelerator(check_available=True)
    return found if found is not None else torch.device("cpu")
