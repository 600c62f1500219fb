"""Where the first number that is not finite came from."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.distributions as td
from torch import Tensor, nn


def first_non_finite(
    objective: Callable[[tuple[Tensor, ...]], Tensor], model: nn.Module, batch: tuple[Tensor, ...]
) -> str:
    """Name the first tensor, in the order of evaluation, that has an infinite value or one that is not a number.

    Args:
        objective: batch -> [B], made of the model; evaluated once more, so torch's generator must be where it was.
        model: whose parameters and modules are looked at.
        batch: the data, x first.

    Returns:
        Such as "the output of likelihood.net.layers.2"; empty if every tensor is finite.
    """
    for name, value in [("x", batch[0]), *model.named_parameters(), *model.named_buffers()]:
        if not _is_finite(value):
            return f"the values of {name}"
    found: list[str] = []

    def look(name: str) -> Callable:
        def hook(module: nn.Module, inputs: Any, output: Any) -> None:
            for label, value in _tensors(output):
                if not found and not _is_finite(value):
                    found.append(f"the {label} of {name or 'the model'}")

        return hook

    handles = [module.register_forward_hook(look(name)) for name, module in model.named_modules()]
    try:
        values = objective(batch)
    finally:
        for handle in handles:
            handle.remove()
    if found:
        return found[0]
    if not _is_finite(values):
        return "the bound itself, after every network's output was finite"

    def watch(name: str) -> Callable[[Tensor], None]:
        def hook(gradient: Tensor) -> None:
            if not found and not _is_finite(gradient):
                found.append(f"the gradient of {name}")

        return hook

    trained = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    handles = [parameter.register_hook(watch(name)) for name, parameter in trained.items()]
    try:
        torch.autograd.grad(values.sum(), list(trained.values()), allow_unused=True)
    finally:
        for handle in handles:
            handle.remove()
    return found[0] if found else ""


def largest_gradient(parameters: dict[str, Tensor]) -> str:
    """Name the largest entry of the gradients, where their norm overflows although every one of them is finite.

    Args:
        parameters: by name; those without a gradient are passed over.

    Returns:
        Such as "the largest entry of the gradient is 3e+30, in likelihood.net.layers.2.weight"; empty if there is none.
    """
    gradients = {name: value.grad for name, value in parameters.items() if value.grad is not None and value.numel()}
    largest = {name: gradient.detach().abs().max().item() for name, gradient in gradients.items()}
    if not largest:
        return ""
    # What is no number compares with nothing, and is larger than anything here.
    name = max(largest, key=lambda name: math.inf if math.isnan(largest[name]) else largest[name])
    entry = gradients[name].flatten()[gradients[name].detach().abs().argmax()].item()
    return f"the largest entry of the gradient is {entry:g}, in {name}"


def _tensors(output: Any) -> Iterator[tuple[str, Tensor]]:
    """The tensors of a module's output: of a distribution, its parameters."""
    if isinstance(output, Tensor):
        yield "output", output
    elif isinstance(output, td.Distribution):
        while isinstance(output, td.Independent):
            output = output.base_dist
        yield from ((name, value) for name, value in vars(output).items() if isinstance(value, Tensor))
    elif isinstance(output, (tuple, list)):
        for part in output:
            yield from _tensors(part)


def _is_finite(value: Tensor) -> bool:
    return not value.dtype.is_floating_point or bool(value.isfinite().all())
