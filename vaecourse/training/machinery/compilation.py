"""Forward and backward pass as one compiled graph: no autograd between them, and few steps of Python per batch."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad

from vaecourse.training.machinery.vector import Vector

Parts = tuple[Tensor, ...]  # of a batch
Annealed = dict[str, Tensor]
Evaluation = Callable[[Parts, Annealed, int], Tensor]  # (batch, annealed, size of the batch) -> values [B]


def compiled(objective: nn.Module, vector: Vector) -> Evaluation:
    """A function that adds the gradient of -(sum of values) / size to the vector's, and returns the values, [B].

    A bound that changes its own buffers as it goes (a running mean, batch normalisation) cannot be differentiated as a
    function; then only its forward pass is compiled, and autograd compiles what belongs to it.

    Args:
        objective: (batch, annealed) -> values, [B].
        vector: the trained parameters of the objective, in its own order.

    Raises:
        RuntimeError: at the first call, if there is no compiler for this machine.
    """
    from torch._dynamo.exc import TorchDynamoException  # slow to import

    trained = {name: p.detach() for name, p in objective.named_parameters() if p.requires_grad}

    def loss(parameters: dict[str, Tensor], batch: Parts, annealed: Annealed, size: int) -> tuple[Tensor, Tensor]:
        values = functional_call(objective, parameters, (batch, annealed))
        return -values.sum() / size, values

    def gradient(batch: Parts, annealed: Annealed, size: int) -> tuple[Tensor, Tensor]:
        gradients, values = grad(loss, has_aux=True)(trained, batch, annealed, size)
        return vector.flat(gradients.values()), values

    # One size each: the last, shorter batch is compiled once more, rather than all of them for any size. In isolation,
    # or the compiled code of every training of this process would count against one limit.
    options = dict(dynamic=False, isolate_recompiles=True)
    whole, forward = torch.compile(gradient, **options), torch.compile(objective.__call__, **options)

    def in_one(batch: Parts, annealed: Annealed, size: int) -> Tensor:
        with torch.no_grad():
            part, values = whole(batch, annealed, size)
        vector.gradient.add_(part)
        return values

    def in_two(batch: Parts, annealed: Annealed, size: int) -> Tensor:
        values = forward(batch, annealed)
        (-values.sum() / size).backward()
        return values.detach()

    ways = [in_one, in_two]

    def evaluate(batch: Parts, annealed: Annealed, size: int) -> Tensor:
        state = torch.get_rng_state()
        try:
            return ways[0](batch, annealed, size)
        except (TorchDynamoException, RuntimeError) as error:
            if len(ways) == 1:
                objective(batch, annealed)  # if it is the bound itself that fails, it shall say so in its own words
                reason = str(error).strip().splitlines()[0]
                raise RuntimeError(f"compile=True cannot work here, use compile=False: {reason}") from error
            del ways[0]
            torch.set_rng_state(state)
            return evaluate(batch, annealed, size)

    return evaluate
