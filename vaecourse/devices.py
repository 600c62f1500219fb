"""Where tensors live: the one place that asks which accelerator there is."""

from __future__ import annotations

import os
import platform
from pathlib import Path
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


def has_bfloat16_units(device: torch.device) -> bool:
    """Whether a device computes in bfloat16 itself: one that does not is several times slower there than in float32.

    Accelerators are taken to; of a processor its instructions tell (AVX-512 BF16 or AMX, on Arm BF16).
    """
    import torch

    if device.type != "cpu":
        return True
    if platform.machine().lower() in ("x86_64", "amd64"):
        asks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
        return any(getattr(torch.cpu, ask, lambda: False)() for ask in asks)
    try:
        return " bf16 " in Path("/proc/cpuinfo").read_text(encoding="utf-8").replace("\n", " ")
    except OSError:
        return True  # nobody to ask: no alarm
