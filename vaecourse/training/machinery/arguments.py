"""The arguments of a training, refused in a sentence where they are out of range."""

from __future__ import annotations

from typing import Any

from vaecourse.data import Dataset


def check(train: Dataset, valid: Dataset | None, **settings: Any) -> None:
    """Refuse settings of :func:`~vaecourse.training.fit` that make no sense.

    Raises:
        ValueError: naming the argument, what it is and what is allowed.
    """
    for name in ("num_epochs", "batch_size", "num_shards", "warm_up", "patience"):
        value = settings[name]
        if value is not None and not (isinstance(value, int) and value > 0):
            raise ValueError(f"{name} must be a whole number above 0, and is {value}")
    for name in ("learning_rate", "gradient_clip"):
        if settings[name] is not None and not settings[name] > 0:
            raise ValueError(f"{name} must be above 0, and is {settings[name]}")
    if not settings["checkpoint_seconds"] >= 0:
        raise ValueError(f"checkpoint_seconds must be 0 or more, and is {settings['checkpoint_seconds']}")
    schedule, ema, precision = settings["schedule"], settings["ema"], settings["precision"]
    if not (schedule in (None, "cosine") or callable(schedule)):
        raise ValueError(f'schedule must be None, "cosine" or a function (step, num_steps), and is {schedule!r}')
    if ema is not None and not 0 < ema < 1:
        raise ValueError(f"ema must lie between 0 and 1, and is {ema}")
    if precision not in ("fp32", "bf16"):
        raise ValueError(f'precision must be "fp32" or "bf16", and is {precision!r}')
    if settings["patience"] is not None and valid is None:
        raise ValueError("patience needs validation data: pass valid")
    for name, part in (("train", train), ("valid", valid)):
        if part is not None and len(part) == 0:
            raise ValueError(f"{name} must hold at least one datum, and is empty")
