"""The operations on a distribution that need care: sampling it with its density, and holding it constant.

A Distribution holds distributions, modules and tensors, never functions: what a closure or a bound method hides could
be neither held constant nor told apart after a change.
"""

from __future__ import annotations

import copy
import types
import weakref
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal

import torch
import torch.distributions as td
from torch import Tensor, nn

Through = Literal["both", "sample", "density"]

_DROPOUT = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout)
_OWN = {"both": "rsample_and_log_prob", "sample": "rsample_and_path_log_prob"}


def sample_and_log_prob(
    distribution: td.Distribution, shape: tuple[int, ...] = (), through: Through = "both"
) -> tuple[Tensor, Tensor]:
    r"""Samples with their own log-density, in one call; a word says which way the gradient goes.

    - ``"both"``: through the sample and the density, :math:`z = g(\epsilon; \phi)` in :math:`\log q_\phi(z)`.
    - ``"sample"``: through the sample alone; in the density the parameters are held constant (sticking the landing).
    - ``"density"``: through the density alone; the sample is a constant (the score function).

    A distribution that knows the density of its own samples more cheaply than that of a foreign point (an inverse
    autoregressive flow) offers methods of its own, ``rsample_and_log_prob(shape)`` for the first and
    ``rsample_and_path_log_prob(shape)`` for the second, and they are used.

    Args:
        distribution: what to sample, with batch shape [B] and event shape [L].
        shape: how many samples, e.g. ``(S,)``.
        through: as above. Without a reparameterised sampler "both" is "density".

    Returns:
        ``z`` of shape [S, B, L] and ``log q(z)`` of shape [S, B], in nats.

    Raises:
        ValueError: through is none of these, or "sample" without a reparameterised sampler; or the distribution runs a
            network with dropout, of which the density would not be that of the samples.

    Example:
        >>> loc = torch.zeros(2, requires_grad=True)
        >>> z, log_q = sample_and_log_prob(td.Independent(td.Normal(loc, 1.0), 1), (3,), through="density")
        >>> z.requires_grad, log_q.requires_grad
        (False, True)
    """
    if through not in ("both", "sample", "density"):
        raise ValueError(f'through must be "both", "sample" or "density", and is {through!r}')
    if through == "sample" and not distribution.has_rsample:
        raise ValueError(
            f'through="sample" needs a distribution with rsample, and {type(distribution).__name__} has none'
        )
    shape = torch.Size(shape)
    if through != "both" or not (distribution.has_rsample and hasattr(distribution, _OWN["both"])):
        _refuse_dropout(distribution)
    if through == "density" or not distribution.has_rsample:
        with full_precision_arithmetic(distribution):
            z = distribution.sample(shape)
            # As another object: a transform with a cache would give back what it made z of, as a constant.
            return z, distribution.log_prob(z.detach())
    if hasattr(distribution, _OWN[through]):
        return getattr(distribution, _OWN[through])(shape)
    with full_precision_arithmetic(distribution):
        z = distribution.rsample(shape)
        return z, (frozen(distribution) if through == "sample" else distribution).log_prob(z)


def _refuse_dropout(distribution: td.Distribution) -> None:
    """Refuse a distribution that is another one each time it is asked, where the sample and its density ask it."""
    modules = (part for part in _parts(distribution) if isinstance(part, nn.Module))
    if any(isinstance(layer, _DROPOUT) and layer.training and layer.p > 0 for m in modules for layer in m.modules()):
        raise ValueError(
            f"{type(distribution).__name__} runs a network with dropout whenever it is asked, so that its samples and "
            "their density would be of two distributions: leave the dropout to networks that run before it is made"
        )


def log_prob(distribution: td.Distribution, value: Tensor) -> Tensor:
    """``distribution.log_prob(value)``, in nats, which autocast does not round unless it is a network that computes."""
    with full_precision_arithmetic(distribution):
        return distribution.log_prob(value)


def full_precision_arithmetic(*distributions: td.Distribution) -> AbstractContextManager:
    """A context without autocast, if it is on: what rounds networks shall not round samples and densities.

    Distributions that run networks of their own are left as they are: inside them autocast has its work to do, and they
    pass what the networks say through :func:`~vaecourse.distributions.full_precision`.
    """
    on = [kind for kind in _kinds_of_device() if torch.is_autocast_enabled(kind)]
    if not on or any(isinstance(part, nn.Module) for d in distributions for part in _parts(d)):
        return nullcontext()
    return torch.autocast(on[0], enabled=False)


def has_jumps(distribution: td.Distribution) -> bool:
    """Whether the density jumps somewhere, as the class attribute ``has_jumps`` says of it or of a part of it.

    The mean of a function with jumps moves with the jumps as well, and no gradient through a sample sees them.
    """
    return any(getattr(part, "has_jumps", False) for part in (distribution, *_parts(distribution)))


def frozen(distribution: td.Distribution) -> td.Distribution:
    """The same distribution with its parameters held constant: gradients reach it through its argument only.

    It is made from the *live* distribution, not by calling the network again, so that whatever was random in the call
    (dropout) is kept. Tensors are detached and modules inside it become copies with constant parameters; nothing of the
    original is touched.

    Raises:
        TypeError: something in it is a function, whose parameters could not be found.

    Example:
        >>> import torch, torch.distributions as td
        >>> loc = torch.zeros(2, requires_grad=True)
        >>> frozen(td.Normal(loc, 1.0)).loc.requires_grad
        False
    """
    return with_tensors(distribution, Tensor.detach)


def frozen_module(module: nn.Module) -> nn.Module:
    """The same module with its parameters held constant, as a copy that shares their memory."""
    return with_tensors(module, Tensor.detach)


def _kinds_of_device() -> list[str]:
    accelerator = torch.accelerator.current_accelerator()
    return ["cpu"] if accelerator is None else ["cpu", accelerator.type]


def _parts(distribution: td.Distribution) -> Iterator[td.Distribution | nn.Module]:
    """The distributions and modules that a distribution holds, at any depth."""
    for value in vars(distribution).values():
        for part in value if isinstance(value, (list, tuple)) else (value,):
            if isinstance(part, (td.Distribution, td.Transform, nn.Module)):
                yield part
            if isinstance(part, (td.Distribution, td.Transform)):
                yield from _parts(part)


def with_tensors(value: Any, function: Callable[[Tensor], Tensor]) -> Any:
    """A copy of a distribution or a module, at whose every tensor, at any depth, stands what a function made of it.

    What is shared stays shared. Functions that a distribution holds are refused, with a TypeError, because what they
    hide would be left out; those of a module (activations, hooks) are its code, and are left as they are.
    """
    return _mapped(value, function, {}, functions=False)


def _mapped(value: Any, function: Callable[[Tensor], Tensor], seen: dict[int, Any], functions: bool) -> Any:
    if id(value) in seen:  # shared tensors and modules stay shared, cycles end
        return seen[id(value)]
    if isinstance(value, Tensor):
        result = seen[id(value)] = function(value)
    elif isinstance(value, torch.jit.ScriptModule):
        raise TypeError("a ScriptModule cannot be held constant: its parameters are out of Python's reach")
    elif isinstance(value, nn.Module) and "_orig_mod" in value._modules:  # compiled: it would run the original
        result = _mapped(value._modules["_orig_mod"], function, seen, functions)
    elif isinstance(value, (td.Distribution, td.Transform, nn.Module)):
        result = seen[id(value)] = object.__new__(type(value))
        functions = isinstance(value, nn.Module)
        parts = {name: part for name, part in vars(value).items() if name != "_compiled_call_impl"}
        result.__dict__ = {name: _mapped(part, function, seen, functions) for name, part in parts.items()}
    elif isinstance(value, tuple) and hasattr(value, "_fields"):
        result = type(value)(*(_mapped(part, function, seen, functions) for part in value))
    elif isinstance(value, (list, tuple)):
        result = type(value)(_mapped(part, function, seen, functions) for part in value)
    elif isinstance(value, dict):
        result = {name: _mapped(part, function, seen, functions) for name, part in value.items()}
        if type(value) is not dict:  # one that has an order or a default
            content, result = result, copy.copy(value)
            result.update(content)
    elif isinstance(value, weakref.ref):  # a transform's own inverse: forgotten, or it would lead back to live tensors
        result = None
    elif functions and isinstance(value, types.MethodType):  # of a module, which may be this one or another
        result = types.MethodType(value.__func__, _mapped(value.__self__, function, seen, functions))
    elif not functions and not isinstance(value, type) and (callable(value) or _hides_tensors(value)):
        kind = "function" if callable(value) else type(value).__name__
        raise TypeError(
            f"a distribution must hold distributions, modules and tensors, and holds the {kind} {value!r}, "
            f"whose parameters cannot be held constant"
        )
    else:
        result = value
    seen[id(value)] = result
    return result


def _hides_tensors(value: Any) -> bool:
    """Whether an object of another kind has tensors, or what holds them, among its attributes or members."""
    if isinstance(value, td.constraints.Constraint):  # bounds of a support, of which no density is made
        return False
    parts = value if isinstance(value, (set, frozenset)) else getattr(value, "__dict__", {}).values()
    return any(isinstance(part, (Tensor, td.Distribution, td.Transform, nn.Module)) for part in parts)
