"""The cost of inference, counted: how often a decoder is evaluated."""

from __future__ import annotations

from types import TracebackType

from torch import Tensor, nn

from vaecourse.model import LatentVariableModel


class DecoderEvaluations:
    """Counts the evaluations of a model's likelihood while it is open: one for every sample of z of every datum.

    An evaluation whose gradient is taken counts as one, too; say beside the number which kind they are. What a gradient
    makes a model compute again (``chunk_size``) is counted as what it is, another evaluation.

    Args:
        model: whose likelihood is watched, also where a posterior or a frozen copy calls it.

    Attributes:
        total: evaluations so far.

    Example:
        >>> from vaecourse.exact import frozen_vae
        >>> import torch
        >>> vae, x = frozen_vae(), torch.zeros(10, 64, dtype=torch.float64)
        >>> with DecoderEvaluations(vae) as cost:
        ...     draw = vae.draw(x, num_samples=5)
        >>> cost.total, cost.per_datum(10)
        (50, 5.0)
    """

    def __init__(self, model: LatentVariableModel):
        self.likelihood = model.likelihood
        self.total = 0

    def per_datum(self, num_data: int) -> float:
        """The evaluations so far for each of so many data."""
        if num_data < 1:
            raise ValueError(f"num_data must be at least 1, and is {num_data}")
        return self.total / num_data

    def __enter__(self) -> DecoderEvaluations:
        self._handle = self.likelihood.register_forward_hook(self._count)
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._handle.remove()

    def _count(self, module: nn.Module, inputs: tuple[Tensor, ...], output: object) -> None:
        self.total += inputs[0].shape[:-1].numel()
