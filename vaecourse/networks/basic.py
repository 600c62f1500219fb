"""Fully connected networks, and what fits a network to its place: units, leading dimensions, a part of the input."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn


class MLP(nn.Module):
    """A fully connected network that acts on the last dimension.

    Args:
        in_features: size of the input's last dimension.
        hidden: sizes of the hidden layers; empty for an affine map.
        out_features: size of the output's last dimension.
        activation: makes the nonlinearity after each hidden layer.

    Example:
        >>> MLP(2, (8, 8), 3)(torch.zeros(5, 4, 2)).shape
        torch.Size([5, 4, 3])
    """

    def __init__(
        self,
        in_features: int,
        hidden: Sequence[int],
        out_features: int,
        activation: Callable[[], nn.Module] = nn.Tanh,
    ):
        super().__init__()
        sizes = [in_features, *hidden]
        layers: list[nn.Module] = []
        for size_in, size_out in itertools.pairwise(sizes):
            layers += [nn.Linear(size_in, size_out), activation()]
        self.layers = nn.Sequential(*layers, nn.Linear(sizes[-1], out_features))

    def forward(self, x: Tensor) -> Tensor:
        """Input [..., in_features] to output [..., out_features]."""
        return self.layers(x)


class Rescale(nn.Module):
    """An affine change of units, (x - shift) / scale: how a network reads data that the likelihood scores as they are.

    Args:
        shift: what becomes zero, a number or a tensor that broadcasts against [..., D].
        scale: what becomes one, likewise.

    Example:
        >>> Rescale(8.0, 8.0)(torch.tensor([0.0, 8.0, 16.0]))
        tensor([-1.,  0.,  1.])
    """

    def __init__(self, shift: float | Tensor, scale: float | Tensor):
        super().__init__()
        self.register_buffer("shift", torch.as_tensor(shift))
        self.register_buffer("scale", torch.as_tensor(scale))

    def forward(self, x: Tensor) -> Tensor:
        """Rescaled input of the same shape."""
        return (x - self.shift) / self.scale


class LeadingDims(nn.Module):
    """Lets a network that wants exactly one batch dimension see any number of them, such as [S, B].

    Convolutions take [N, C, H, W] and nothing else; here all leading dimensions are folded into one and unfolded again.

    Args:
        net: a network from [N, *event] to [N, *result].
        event_ndim: how many trailing dimensions make one input.

    Example:
        >>> LeadingDims(nn.Conv2d(1, 4, 3), event_ndim=3)(torch.zeros(6, 5, 1, 8, 8)).shape
        torch.Size([6, 5, 4, 6, 6])
    """

    def __init__(self, net: nn.Module, event_ndim: int):
        super().__init__()
        self.net = net
        self.event_ndim = event_ndim

    def forward(self, x: Tensor) -> Tensor:
        """Input [..., *event] to output [..., *result]."""
        split = x.ndim - self.event_ndim
        result = self.net(x.reshape(-1, *x.shape[split:]))
        return result.reshape(*x.shape[:split], *result.shape[1:])


class Part(nn.Module):
    """A network that reads a part of its input's last dimension: a likelihood that sees the lowest layer of z alone.

    Args:
        net: from [..., P] to [..., H].
        part: which P numbers it sees, such as ``slice(-4, None)`` for the last four.

    Example:
        >>> Part(MLP(4, (), 64), slice(-4, None))(torch.zeros(5, 3, 6)).shape
        torch.Size([5, 3, 64])
    """

    def __init__(self, net: nn.Module, part: slice):
        super().__init__()
        self.net = net
        self.part = part

    def forward(self, x: Tensor) -> Tensor:
        """Input [..., L] to output [..., H]."""
        return self.net(x[..., self.part])


class Joined(nn.Module):
    """A network that reads several inputs side by side, such as a sample of the layer above and features of the datum.

    Args:
        net: from [..., A + B + ...] to [..., H].

    Example:
        >>> Joined(MLP(2 + 3, (8,), 4))(torch.zeros(7, 5, 2), torch.zeros(5, 3)).shape
        torch.Size([7, 5, 4])
    """

    def __init__(self, net: nn.Module):
        super().__init__()
        self.net = net

    def forward(self, *inputs: Tensor) -> Tensor:
        """Inputs [..., A], [..., B], ..., whose leading dimensions broadcast, to output [..., H]."""
        leading = torch.broadcast_shapes(*(part.shape[:-1] for part in inputs))
        return self.net(torch.cat([part.expand(*leading, -1) for part in inputs], -1))


@torch.no_grad()
def start_at(net: nn.Module, outputs: Tensor) -> nn.Module:
    """Let a network start near given outputs: they become the bias of its last linear layer.

    A decoder that starts at the logits of the pixel means need not learn the mean image first. Until it has, z tells it
    little, and whatever costs nats per latent (a KL, a prior that can follow the posterior) may switch z off for good.

    Args:
        net: a network whose last linear layer gives its outputs, such as :class:`MLP`; it is changed.
        outputs: of the size of that layer's outputs.

    Returns:
        The same network.

    Raises:
        ValueError: net has no linear layer with a bias of that size at its end.

    Example:
        >>> x = torch.tensor([[0.0, 1.0, 1.0], [0.0, 0.0, 1.0]])
        >>> decoder = start_at(MLP(2, (8,), 3), x.mean(0).clamp(0.01, 0.99).logit())
        >>> decoder.layers[-1].bias
        Parameter containing:
        tensor([-4.5951,  0.0000,  4.5951], requires_grad=True)
    """
    layers = [layer for layer in net.modules() if isinstance(layer, nn.Linear)]
    if not layers or layers[-1].bias is None:
        raise ValueError(f"net must end in a linear layer with a bias, and is {type(net).__name__}")
    if layers[-1].bias.shape != outputs.shape:
        given, needed = list(outputs.shape), list(layers[-1].bias.shape)
        raise ValueError(f"outputs must have the shape of the last layer's bias, {needed}, and has {given}")
    layers[-1].bias.copy_(outputs)
    return net
