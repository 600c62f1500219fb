"""A step of training a VAE whose posterior is a Gaussian and inverse autoregressive steps, here and in Pyro.

Both have the same networks (784 binary pixels, tanh), one sample of z a datum and the KL from it, and Adam. Pyro is
used as its tutorials do, without validation of arguments.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from vaecourse.estimators import pathwise
from vaecourse.flows import Flow, iaf
from vaecourse.likelihoods import Bernoulli
from vaecourse.model import LatentVariableModel
from vaecourse.networks import MLP
from vaecourse.posteriors import DiagonalGaussian
from vaecourse.priors import StandardNormal

NUM_PIXELS = 784
LEARNING_RATE = 1e-3
Call = Callable[[], object]


def networks(sizes) -> tuple[MLP, MLP]:
    """Encoder and decoder, initialised alike for both."""
    torch.manual_seed(0)
    return MLP(NUM_PIXELS, sizes.hidden, 2 * sizes.dim), MLP(sizes.dim, sizes.hidden, NUM_PIXELS)


def images(sizes) -> Tensor:
    """A batch [B, 784] of coins."""
    return torch.randint(2, (sizes.batch_size, NUM_PIXELS), generator=torch.Generator().manual_seed(0)).float()


def course_model(sizes) -> LatentVariableModel:
    """The model as chapter 17 writes it, with a flow that is the same for all data."""
    encoder, decoder = networks(sizes)
    posterior = Flow(DiagonalGaussian(encoder), *iaf(sizes.dim, sizes.hidden, sizes.num_layers))
    return LatentVariableModel(StandardNormal(sizes.dim), Bernoulli(decoder), posterior)


def course(sizes) -> Call:
    """A step of Adam up the bound."""
    model, x = course_model(sizes), images(sizes)
    optimiser = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE, fused=True)

    def step() -> None:
        optimiser.zero_grad()
        (-pathwise(model, x).mean()).backward()
        optimiser.step()

    return step


def pyro_steps(sizes) -> list:
    """Autoregressive steps with the order reversed between them, and of an even number also after the last."""
    from pyro.distributions.transforms import AffineAutoregressive, Permute
    from pyro.nn import AutoRegressiveNN

    order, steps = torch.arange(sizes.dim), []
    for k in range(sizes.num_layers):
        net = AutoRegressiveNN(sizes.dim, list(sizes.hidden), permutation=order, nonlinearity=torch.nn.Tanh())
        for values in net.layers[-1].parameters():
            torch.nn.init.zeros_(values)  # the identity until it is trained, as ours
        steps.append(AffineAutoregressive(net))
        if k < sizes.num_layers - 1 or sizes.num_layers % 2 == 0:
            steps.append(Permute(order.flip(0)))
    return steps


def pyro(sizes) -> Call:
    """A step of SVI with Trace_ELBO."""
    import pyro as library
    import pyro.distributions as dist

    (encoder, decoder), flow, x = networks(sizes), pyro_steps(sizes), images(sizes)
    layers = torch.nn.ModuleList(step for step in flow if isinstance(step, torch.nn.Module))

    def model(x: Tensor) -> None:
        library.module("decoder", decoder)
        with library.plate("data", len(x)):
            z = library.sample("z", dist.Normal(x.new_zeros(len(x), sizes.dim), 1.0).to_event(1))
            library.sample("x", dist.Bernoulli(logits=decoder(z)).to_event(1), obs=x)

    def guide(x: Tensor) -> None:
        library.module("encoder", encoder)
        library.module("flow", layers)
        with library.plate("data", len(x)):
            loc, log_scale = encoder(x).chunk(2, -1)
            base = dist.Normal(loc, log_scale.exp()).to_event(1)
            library.sample("z", dist.TransformedDistribution(base, flow))

    library.clear_param_store()
    svi = library.infer.SVI(model, guide, library.optim.Adam({"lr": LEARNING_RATE}), library.infer.Trace_ELBO())

    def step() -> float:
        with library.validation_enabled(False):
            return svi.step(x)

    return step


TASKS: dict[str, dict[str, Callable[..., Call]]] = {"IAF-VAE, training": {"vaecourse": course, "pyro": pyro}}
