"""Small models of one architecture trained side by side: five seeds for little more than the price of one."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap
from torch.overrides import TorchFunctionMode


class Stacked(nn.Module):
    """M modules of one architecture, each parameter of which is held once, [M, ...], for all of them.

    What a single one makes of its inputs, they make of theirs in one call; each has random numbers of its own where its
    forward draws any. Modules that read a value back or branch on one cannot be stacked.

    Args:
        modules: the M modules; their parameters are copied.

    Example:
        >>> first, second = nn.Linear(3, 2), nn.Linear(3, 2)
        >>> x = torch.randn(2, 5, 3)
        >>> both = Stacked([first, second])(x)  # [2, 5, 2]
        >>> torch.allclose(both[1], second(x[1]))
        True
    """

    def __init__(self, modules: Sequence[nn.Module]):
        super().__init__()
        parameters, buffers = stack_module_state(list(modules))
        self.names = list(parameters)
        self.values = nn.ParameterList([nn.Parameter(value.detach()) for value in parameters.values()])
        self.of_buffers = buffers
        self.skeleton = [copy.deepcopy(modules[0]).requires_grad_(False)]  # in a list: its parameters are not ours

    def __len__(self) -> int:
        """M, how many modules there are."""
        return len(self.values[0])

    def module(self, number: int) -> nn.Module:
        """One of the modules by itself: a copy, with the parameters that it has now."""
        alone = copy.deepcopy(self.skeleton[0])
        tensors = dict(alone.named_parameters()) | dict(alone.named_buffers())
        with torch.no_grad():
            for name, values in [*zip(self.names, self.values), *self.of_buffers.items()]:
                tensors[name].copy_(values[number])
        return alone

    def forward(self, *inputs: Tensor) -> Tensor | tuple[Tensor, ...]:
        """What each module makes of its own inputs, all of which have the modules in front, [M, ...]."""

        def one(parameters: dict, buffers: dict, *own: Tensor) -> Tensor | tuple[Tensor, ...]:
            return functional_call(self.skeleton[0], (parameters, buffers), own)

        with _NoiseOfItsOwn():
            return vmap(one, randomness="different")(dict(zip(self.names, self.values)), self.of_buffers, *inputs)


class _NoiseOfItsOwn(TorchFunctionMode):
    """Noise that is filled in, as torch's distributions do, is drawn as a new tensor, which each module gets anew."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func is Tensor.normal_ and len(args) == 1 and not kwargs:
            return torch.randn_like(args[0])
        if func is Tensor.uniform_ and len(args) == 1 and not kwargs:
            return torch.rand_like(args[0])
        return func(*args, **(kwargs or {}))


def maximise(
    modules: Stacked,
    bound: Callable[[], Tensor],
    num_steps: int,
    learning_rate: float | Tensor,
    clip: float | None = None,
) -> Tensor:
    """Train stacked modules, each up its own bound, with Adam and a cosine schedule.

    Args:
        modules: what is trained, in place.
        bound: a new estimate at each call, [M, ...], the modules in front; what follows is averaged.
        num_steps: steps of Adam.
        learning_rate: of the first step, one for all or one for each module, [M]; the last is near zero.
        clip: the largest norm of a module's gradient; a longer one is cut to it, and one that is no number is left out.

    Returns:
        The bounds of all steps, [num_steps, M].

    Raises:
        ValueError: learning_rate is neither one number nor one for each module, or not above 0.
    """
    values, rates = list(modules.parameters()), torch.as_tensor(learning_rate)
    if rates.shape not in ((), (len(modules),)) or not (rates > 0).all():
        raise ValueError(f"learning_rate must be above 0, one or [{len(modules)}], and is {learning_rate}")
    largest = rates.max().item()
    optimiser = torch.optim.Adam(values, lr=largest, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, num_steps)
    trace = []
    for _ in range(num_steps):
        means = bound().flatten(1).mean(1)
        optimiser.zero_grad()
        (-means.sum()).backward()
        if clip is not None:
            _clip(values, clip)
        before = [value.detach().clone() for value in values] if rates.ndim else []
        optimiser.step()
        if before:
            _shorten(values, before, rates / largest)
        schedule.step()
        trace.append(means.detach())
    return torch.stack(trace)


@torch.no_grad()
def _shorten(values: list[Tensor], before: list[Tensor], shares: Tensor) -> None:
    """Each module's own rate: Adam's step is proportional to it, so that a share of the rate is a share of the step."""
    for value, old in zip(values, before):
        value.copy_(torch.lerp(old, value, shares.to(value).view(-1, *[1] * (value.ndim - 1))))


def _clip(values: list[Tensor], largest: float) -> None:
    """Each module's own norm, not that of all of them together."""
    norms = torch.stack([value.grad.flatten(1).square().sum(1) for value in values]).sum(0).sqrt()
    factor = torch.where(norms.isfinite(), (largest / norms.clamp(min=1e-12)).clamp(max=1), torch.zeros_like(norms))
    for value in values:
        value.grad.nan_to_num_(0, 0, 0).mul_(factor.view(-1, *[1] * (value.ndim - 1)))
