"""The structurally hardest methods of the chapters to come, as small as they can be written on the package's contract.

Each is a model, a bound and what else `fit` needs, made anew at every call. What becomes a part of the package moves
there, and its case here imports it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar

import torch
import torch.distributions as td
import torch.nn.functional as F
from torch import Tensor, nn

from vaecourse import flows, likelihoods
from vaecourse.distributions import (
    Categorical,
    Chain,
    Conditional,
    Given,
    frozen_module,
    full_precision,
    sample_and_log_prob,
)
from vaecourse.estimators import analytic_kl, dreg, pathwise, stl
from vaecourse.estimators.semi_supervised import accuracy, semi_supervised
from vaecourse.evaluation import layer_rates
from vaecourse.inference import AdamAscent, Ascent, LearnedUpdate, Refined, every_step, svi_from_encoder
from vaecourse.likelihoods import Bernoulli
from vaecourse.mcmc import hmc, leapfrog, with_gradient
from vaecourse.model import LatentVariableModel
from vaecourse.networks import MLP, GatedPixelCNN, Joined, Part, Rescale
from vaecourse.objectives import elbo
from vaecourse.posteriors import DiagonalGaussian, Ladder
from vaecourse.priors import ConditionalMixture, Piecewise, StandardNormal, VampPrior

LATENTS, PIXELS, CLASSES = 4, 64, 10
ONE = torch.Size()


@dataclass
class Method:
    """What trains: the model, the bound, whether batches bring labels, and further arguments of `fit`."""

    model: LatentVariableModel
    bound: Callable[..., Tensor] = pathwise
    labels: bool = False
    options: dict = field(default_factory=dict)


def encoder(num_outputs: int, num_inputs: int = PIXELS) -> nn.Module:
    return nn.Sequential(Rescale(0.5, 0.5), MLP(num_inputs, (32,), num_outputs))


def decoder(num_latents: int = LATENTS) -> Bernoulli:
    return Bernoulli(MLP(num_latents, (32,), PIXELS))


def gaussian(loc: Tensor, scale: Tensor) -> td.Independent:
    return td.Independent(td.Normal(loc, scale, validate_args=False), 1)


# ------------------------------------------------------------------------------------------------ VampPrior


def vamp_prior() -> Method:
    posterior = DiagonalGaussian(encoder(2 * LATENTS))
    return Method(LatentVariableModel(VampPrior(posterior, torch.rand(20, PIXELS)), decoder(), posterior))


# ------------------------------------------------------------------------------------------------ GMVAE


def gmvae() -> Method:
    """p(z2) sum_c p(c) p(z1|z2, c) (Dilokthanakul et al., 2016), the sum over clusters in the prior's density."""
    sizes = 2, LATENTS
    prior = Chain(StandardNormal(2), ConditionalMixture(MLP(2, (16,), 2 * 5 * LATENTS), 5), sizes)
    given = MLP(2 + 16, (16,), 2 * LATENTS)
    posterior = Chain(DiagonalGaussian(encoder(2 * 2)), Beside(given), sizes, features=encoder(16))
    likelihood = Bernoulli(Part(MLP(LATENTS, (32,), PIXELS), slice(-LATENTS, None)))
    return Method(LatentVariableModel(prior, likelihood, posterior))


class Beside(Conditional):
    """q(z1|z2, x) by a network that reads z2 beside the features of x."""

    def __init__(self, net: nn.Module):
        super().__init__()
        self.family = DiagonalGaussian(net)

    def forward(self, z: Tensor, features: Tensor) -> td.Distribution:
        return self.family(torch.cat([z, features.to(z).expand(*z.shape[:-1], -1)], -1))


# ------------------------------------------------------------------------------------------------ ladder


def ladder() -> Method:
    below = DiagonalGaussian(MLP(2, (16,), 2 * LATENTS))
    sizes = 2, LATENTS
    lower = Ladder(below, DiagonalGaussian(nn.Identity()))
    posterior = Chain(DiagonalGaussian(encoder(2 * 2)), lower, sizes, features=encoder(2 * LATENTS))
    likelihood = Bernoulli(Part(MLP(LATENTS, (32,), PIXELS), slice(-LATENTS, None)))
    model = LatentVariableModel(Chain(StandardNormal(2), below, sizes), likelihood, posterior)
    return Method(model, options={"monitor": layer_rates})


# ------------------------------------------------------------------------------------------------ IAF with context


def iaf(bound: Callable[..., Tensor] = pathwise) -> Method:
    bijectors = flows.iaf(LATENTS, (32,), 2, num_context=16, elementwise=flows.Gate())
    flow = flows.Flow(DiagonalGaussian(MLP(16, (), 2 * LATENTS)), *bijectors)
    return Method(LatentVariableModel(StandardNormal(LATENTS), decoder(), Given(encoder(16), flow)), bound)


# ------------------------------------------------------------------------------------------------ M2


def m2() -> Method:
    sizes = CLASSES, LATENTS
    prior = Chain(Categorical(torch.zeros(CLASSES)), StandardNormal(LATENTS), sizes)
    of_latents = Given(Joined(MLP(CLASSES + PIXELS, (32,), 2 * LATENTS)), DiagonalGaussian(nn.Identity()))
    posterior = Chain(Categorical(encoder(CLASSES)), of_latents, sizes, features=Rescale(0.5, 0.5))
    model = LatentVariableModel(prior, decoder(sum(sizes)), posterior)
    return Method(model, partial(semi_supervised, alpha=10.0), labels=True, options={"monitor": accuracy})


# ------------------------------------------------------------------------------------------------ adversarial VB


class Pushed(td.Distribution):
    """Noise through a network: a distribution with samples and no density."""

    arg_constraints: ClassVar = {}
    has_rsample = True

    def __init__(self, net: nn.Module, x: Tensor):
        self.net, self.x = net, x
        super().__init__(x.shape[:1], torch.Size([LATENTS]), validate_args=False)

    def rsample(self, sample_shape: torch.Size = ONE) -> Tensor:
        x = self.x.expand(*sample_shape, *self.x.shape)
        noise = torch.randn(*x.shape[:-1], 8, device=x.device, dtype=x.dtype)
        return full_precision(self.net(torch.cat([x, noise], -1)))


class Implicit(Conditional):
    """A posterior without a density."""

    def __init__(self, net: nn.Module):
        super().__init__()
        self.net = net

    def forward(self, c: Tensor) -> Pushed:
        return Pushed(self.net, c)


class Adversarial(nn.Module):
    """Mescheder, Nowozin & Geiger (2017), algorithm 1: a discriminator T estimates log q(z|x) - log p(z)."""

    def __init__(self, discriminator: nn.Module):
        super().__init__()
        self.discriminator = discriminator

    def forward(self, model: LatentVariableModel, x: Tensor) -> Tensor:
        z = model.posterior(x).rsample((1,))
        other = model.prior().sample((1, len(x)))
        score = lambda net, z: full_precision(net(torch.cat([x[None], z], -1))).squeeze(-1)  # noqa: E731
        estimate = (model.log_likelihood(x, z) - score(frozen_module(self.discriminator), z)).mean(0)
        told_apart = F.logsigmoid(score(self.discriminator, z.detach())) + F.logsigmoid(
            -score(self.discriminator, other)
        )
        gain = told_apart.mean(0)
        return estimate + (gain - gain.detach())


def adversarial() -> Method:
    model = LatentVariableModel(StandardNormal(LATENTS), decoder(), Implicit(MLP(PIXELS + 8, (32,), LATENTS)))
    rates = {"": 1e-3, "bound.": 5e-3}
    bound = Adversarial(MLP(PIXELS + LATENTS, (32,), 1, nn.ReLU))
    return Method(model, bound, options={"monitor": None, "learning_rate": rates})


# ------------------------------------------------------------------------------------------------ Hamiltonian VI


class Trajectories(td.Distribution):
    """Leapfrog steps from z_0 ~ q_0 and r_0 ~ N(0, I): log q(z, r_0|x) - log N(r_T) stands in for log q(z|x)."""

    arg_constraints: ClassVar = {}
    support = td.constraints.real_vector
    has_rsample = True

    def __init__(
        self, start: td.Distribution, joint: LatentVariableModel, x: Tensor, step_size: Tensor, num_steps: int
    ):
        self.start, self.joint, self.x, self.step_size, self.num_steps = start, joint, x, step_size, num_steps
        super().__init__(start.batch_shape, start.event_shape, validate_args=False)

    def rsample_and_log_prob(self, shape: torch.Size = ONE) -> tuple[Tensor, Tensor]:
        z, log_q = sample_and_log_prob(self.start, shape)
        momentum = torch.randn_like(z)
        live = torch.is_grad_enabled()
        log_joint = lambda z: self.joint.log_joint(self.x, z)  # noqa: E731
        state = with_gradient(log_joint, z, live)
        state, end = leapfrog(log_joint, state, momentum, self.step_size, self.num_steps, live)
        kinetic = lambda r: 0.5 * r.square().sum(-1)  # noqa: E731
        return state.position, log_q - kinetic(momentum) + kinetic(end)

    def rsample(self, sample_shape: torch.Size = ONE) -> Tensor:
        return self.rsample_and_log_prob(sample_shape)[0]


class Hamiltonian(Conditional):
    """Salimans, Kingma & Welling (2015), algorithm 4: a posterior that holds the joint density it walks on."""

    def __init__(self, start: Conditional, joint: LatentVariableModel, num_steps: int):
        super().__init__()
        self.start = start
        self.joint = joint
        self.num_steps = num_steps
        self.log_step = nn.Parameter(torch.tensor(-2.5))

    def forward(self, c: Tensor) -> Trajectories:
        return Trajectories(self.start(c), self.joint, c, self.log_step.exp(), self.num_steps)


def hamiltonian() -> Method:
    joint = LatentVariableModel(StandardNormal(LATENTS), decoder())
    posterior = Hamiltonian(DiagonalGaussian(encoder(2 * LATENTS)), joint, 3)
    return Method(LatentVariableModel(joint.prior, joint.likelihood, posterior))


# ------------------------------------------------------------------------------------------------ PixelCNN


def pixelcnn() -> Method:
    """An autoregressive likelihood (van den Oord et al., 2016)."""
    posterior = DiagonalGaussian(encoder(2 * LATENTS))
    net = GatedPixelCNN((1, 8, 8), 8, 2, decoder=nn.Linear(LATENTS, 4 * PIXELS))
    likelihood = likelihoods.Autoregressive(net, Bernoulli, PIXELS)
    return Method(LatentVariableModel(StandardNormal(LATENTS), likelihood, posterior))


# ------------------------------------------------------------------------------------------------ semi-amortised


def refined_by(update: nn.Module, through: str) -> LatentVariableModel:
    joint = LatentVariableModel(StandardNormal(LATENTS), decoder())
    posterior = Refined(encoder(2 * LATENTS), joint, update, 3, num_samples=4, through=through)
    return LatentVariableModel(joint.prior, joint.likelihood, posterior)


def semi_amortised() -> Method:
    """Kim et al. (2018): a few steps up the bound from where the encoder starts, differentiated through."""
    return Method(refined_by(Ascent(0.01, learn=True), "steps"))


def iterative() -> Method:
    """Marino, Yue & Mandt (2018): a network reads the slope and moves q, judged at every step."""
    return Method(refined_by(LearnedUpdate(2 * LATENTS), "path"), every_step)


def from_encoder() -> Method:
    """Krishnan, Liang & Hoffman (2018): the decoder at the refined q, the encoder at its own."""
    return Method(refined_by(AdamAscent(0.03), "nothing"), svi_from_encoder)


# ------------------------------------------------------------------------------------------------ piecewise


def piecewise() -> Method:
    posterior = Piecewise(encoder(LATENTS * 5), num_bins=5)
    prior = Piecewise(0.5 * torch.randn(LATENTS, 5))
    return Method(LatentVariableModel(prior, decoder(), posterior), analytic_kl)


# ------------------------------------------------------------------------------------------------ MCMC-refined


def refined_bound(model: LatentVariableModel, x: Tensor) -> Tensor:
    """Hoffman (2017): the encoder climbs its bound, the decoder the joint density at samples that HMC has improved."""
    still = LatentVariableModel(frozen_module(model.prior), frozen_module(model.likelihood), model.posterior)
    bound = elbo(still.draw(x))
    if not torch.is_grad_enabled():
        return bound
    kernel = hmc(lambda z: still.log_joint(x, z), step_size=0.1, num_leapfrog=3)
    state = kernel.init(model.posterior(x).sample((1,)))
    for _ in range(2):
        state, _ = kernel.step(state)
    of_decoder = model.log_joint(x, state.position).mean(0)
    return bound + (of_decoder - of_decoder.detach())


def refined() -> Method:
    posterior = DiagonalGaussian(encoder(2 * LATENTS))
    return Method(LatentVariableModel(StandardNormal(LATENTS), decoder(), posterior), refined_bound)


# ------------------------------------------------------------------------------------------------ mixture


class MixturePosterior(Conditional):
    """q(z|x) = sum_k pi_k(x) N_k, its components marginalised exactly."""

    def __init__(self, num_components: int):
        super().__init__()
        self.num_components = num_components
        self.net = encoder(num_components * (2 * LATENTS + 1))

    def forward(self, c: Tensor) -> td.MixtureSameFamily:
        outputs = full_precision(self.net(c)).unflatten(-1, (self.num_components, -1))
        logits, loc, log_scale = outputs.split([1, LATENTS, LATENTS], -1)
        weights = td.Categorical(logits=logits.squeeze(-1), validate_args=False)
        return td.MixtureSameFamily(weights, gaussian(loc, log_scale.exp()), validate_args=False)


def stratified_bound(model: LatentVariableModel, x: Tensor, num_samples: int = 1) -> Tensor:
    """One sample from each component, weighted by its share (a mixture's own samples carry no gradient)."""
    q = model.posterior(x)
    components = q.component_distribution.rsample((num_samples,))  # [S, B, K, L]
    z = components.transpose(1, 2).flatten(0, 1)  # [S K, B, L]
    draw = model.score(x, z, q.log_prob(z))
    log_mass = q.mixture_distribution.logits.T.repeat(num_samples, 1) - math.log(num_samples)  # [S K, B]
    return elbo(draw, log_mass)


def mixture() -> Method:
    return Method(LatentVariableModel(StandardNormal(LATENTS), decoder(), MixturePosterior(3)), stratified_bound)


METHODS: dict[str, Callable[[], Method]] = {
    "VampPrior": vamp_prior,
    "GMVAE": gmvae,
    "ladder": ladder,
    "IAF": iaf,
    "IAF, sticking the landing": lambda: iaf(stl),
    "IAF, doubly reparameterised": lambda: iaf(dreg),
    "M2": m2,
    "adversarial": adversarial,
    "Hamiltonian": hamiltonian,
    "PixelCNN": pixelcnn,
    "semi-amortised": semi_amortised,
    "iterative": iterative,
    "SVI from the encoder": from_encoder,
    "piecewise": piecewise,
    "MCMC-refined": refined,
    "mixture": mixture,
}
