"""What several tests need: small models whose answers are known, every slot of the package, and z-scores."""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.distributions as td
from torch import Tensor, nn

from vaecourse import mcmc
from vaecourse.distributions import Categorical, Chain, Conditional, FactorisedBernoulli, Given
from vaecourse.em.components import BayesRule, BernoulliComponents, GaussianComponents
from vaecourse.em.ppca import ProbabilisticPCA
from vaecourse.exact import linear_gaussian, two_state
from vaecourse.exact.targets import Measurement
from vaecourse.flows import Flow, Permutation, iaf, real_nvp
from vaecourse.inference import Ascent, PerDatum, PerDatumMixture, Refined
from vaecourse.likelihoods import (
    Autoregressive,
    Bernoulli,
    Binomial,
    CategoricalPixels,
    ContinuousBernoulli,
    DiscretisedLogistic,
    Gaussian,
)
from vaecourse.model import LatentVariableModel
from vaecourse.networks import MLP, GatedPixelCNN, Part
from vaecourse.posteriors import DiagonalGaussian, FullCovarianceGaussian, Ladder, OfFeatures, Scaled, StudentT
from vaecourse.priors import ConditionalMixture, Fixed, MixtureOfGaussians, Piecewise, StandardNormal, VampPrior


class Slot(NamedTuple):
    """A conditional in float64, a context for it, and what its events are made of."""

    conditional: Conditional
    context: Tensor | None
    support: str  # "real", "unit", "one-hot", or "counts n"


def seeded(make, seed=1):
    """What ``make`` returns, in float64 and with the random weights of a seed."""
    with torch.random.fork_rng([], device_type="cpu"):
        torch.manual_seed(seed)
        return make().double()


def _ppca():
    x = torch.randn(50, 2, dtype=torch.float64) @ torch.tensor([[1.0, 0.4], [0.0, 0.5]], dtype=torch.float64)
    return ProbabilisticPCA.from_data(x, 1)


def slots() -> dict[str, Slot]:
    """Every slot of the package with two-dimensional events; contexts have a batch of one."""
    c = torch.tensor([[0.3, -0.8]], dtype=torch.float64)
    half = torch.tensor([0.3, 0.7], dtype=torch.float64)
    means = torch.tensor([[0.0, 1.0], [-1.0, 0.5]], dtype=torch.float64)
    covariances = torch.tensor([[[1.0, 0.6], [0.6, 0.5]], [[0.7, 0.0], [0.0, 0.4]]], dtype=torch.float64)
    one_hot = torch.tensor([[0.0, 1.0]], dtype=torch.float64)
    gaussians, bernoullis = GaussianComponents(means, covariances), BernoulliComponents(means.sigmoid())
    made = {
        "StandardNormal": (StandardNormal(2), None, "real"),
        "MixtureOfGaussians": (seeded(lambda: MixtureOfGaussians(3, 2)), None, "real"),
        "Fixed": (Fixed(td.MultivariateNormal(means[0], covariances[0])), None, "real"),
        "VampPrior": (seeded(lambda: VampPrior(DiagonalGaussian(MLP(2, (4,), 4)), torch.rand(3, 2))), None, "real"),
        "Piecewise prior": (Piecewise(torch.stack([half.log(), -c[0]])), None, "unit"),
        "Piecewise": (seeded(lambda: Piecewise(MLP(2, (4,), 2 * 4), 4)), 3 * c, "unit"),
        "ConditionalMixture": (seeded(lambda: ConditionalMixture(MLP(2, (4,), 2 * 3 * 2), 3)), c, "real"),
        "Measurement": (Measurement(torch.sin, torch.exp), c, "real"),
        "Bernoulli": (seeded(lambda: Bernoulli(MLP(2, (4,), 2))), c, "counts 1"),
        "ContinuousBernoulli": (seeded(lambda: ContinuousBernoulli(MLP(2, (4,), 2))), 3 * c, "unit"),
        "Binomial": (seeded(lambda: Binomial(MLP(2, (4,), 2), 16)), c, "counts 16"),
        "CategoricalPixels": (seeded(lambda: CategoricalPixels(MLP(2, (4,), 2 * 5), 5)), 3 * c, "counts 4"),
        "Autoregressive": (seeded(lambda: Autoregressive(_Raster(), Bernoulli, 2)), c, "counts 1"),
        "PixelCNN": (seeded(_pixelcnn), c, "counts 4"),
        "DiscretisedLogistic": (seeded(lambda: DiscretisedLogistic(MLP(2, (4,), 2 * 2), 5)), 3 * c, "counts 4"),
        "DiscretisedLogistic, mixture": (
            seeded(lambda: DiscretisedLogistic(MLP(2, (4,), 2 * 6), 5, 2)),
            3 * c,
            "counts 4",
        ),
        "Gaussian": (seeded(lambda: Gaussian(MLP(2, (4,), 2), 0.7)), c, "real"),
        "Gaussian, learned scale": (seeded(lambda: Gaussian(MLP(2, (4,), 2), 1.2, learn_scale=True)), c, "real"),
        "DiagonalGaussian": (seeded(lambda: DiagonalGaussian(MLP(2, (4,), 4))), c, "real"),
        "FullCovarianceGaussian": (seeded(lambda: FullCovarianceGaussian(MLP(2, (4,), 5), 2), 3), c, "real"),
        "StudentT": (seeded(lambda: StudentT(MLP(2, (4,), 4), df=30.0)), c, "real"),  # its tails end where the sums do
        "Scaled": (seeded(lambda: Scaled(FullCovarianceGaussian(MLP(2, (4,), 5), 2), 0.7), 3), c, "real"),
        "PerDatum": (PerDatum(DiagonalGaussian(nn.Identity()), 0.7 * torch.cat([c, c.flip(-1)], -1)), c, "real"),
        "PerDatumMixture": (PerDatumMixture(means[None], covariances.diagonal(0, 1, 2)[None].sqrt()), c, "real"),
        "Refined": (_refined(), c, "real"),
        "Chain": (Chain(StandardNormal(1), seeded(lambda: DiagonalGaussian(MLP(1, (4,), 2))), (1, 1)), None, "real"),
        "Chain, bottom-up": (seeded(_chain), c, "real"),
        "Chain, ladder": (seeded(_ladder), c, "real"),
        "Chain, factorised": (seeded(_factorised), c, "real"),
        "Flow": (Flow(DiagonalGaussian(nn.Identity()), Permutation(2)), 0.7 * torch.cat([c, c], -1), "real"),
        "Flow prior": (seeded(lambda: Flow(StandardNormal(2), *_bent(real_nvp(2, (4,), 2)))), None, "real"),
        "Flow posterior": (
            seeded(lambda: Flow(DiagonalGaussian(MLP(2, (), 4)), *_bent(iaf(2, (4,), 2, num_context=2)))),
            c,
            "real",
        ),
        "Given": (seeded(lambda: Given(nn.Linear(2, 3), DiagonalGaussian(nn.Linear(3, 4)))), c, "real"),
        "Categorical": (Categorical(half.log()), c, "one-hot"),
        "FactorisedBernoulli prior": (_uneven(FactorisedBernoulli(torch.zeros(2))), None, "counts 1"),
        "FactorisedBernoulli": (seeded(lambda: FactorisedBernoulli(MLP(2, (4,), 2))), c, "counts 1"),
        "Categorical posterior": (seeded(lambda: Categorical(MLP(2, (4,), 2))), c, "one-hot"),
        "LinearGaussianPosterior": (linear_gaussian_model(2, 2).posterior, c, "real"),
        "GaussianComponents": (gaussians, one_hot, "real"),
        "BernoulliComponents": (bernoullis, one_hot, "counts 1"),
        "BayesRule": (BayesRule(Categorical(half.log()), gaussians), -c, "one-hot"),
        "pPCA likelihood": (seeded(_ppca).likelihood, c[:, :1], "real"),
    }
    return {name: Slot(conditional.double(), context, kind) for name, (conditional, context, kind) in made.items()}


class _Raster(nn.Module):
    """Logits of two pixels from z, and of the second from the first as well."""

    def __init__(self):
        super().__init__()
        self.of_z, self.of_first = nn.Linear(2, 2), nn.Parameter(torch.tensor(2.0))

    def forward(self, x: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        return self.of_z(z) + nn.functional.pad(self.of_first * x[..., :1], (1, 0))


def _pixelcnn():
    """Two pixels in a row, the second of which sees the first: five levels, by a mixture of two logistics."""
    net = GatedPixelCNN((1, 1, 2), 4, 1, num_outputs=6, num_levels=5, decoder=MLP(2, (4,), 8))
    return Autoregressive(net, lambda net: DiscretisedLogistic(net, 5, 2), 2)


def _chain():
    """A posterior that draws the bottom part first, and whose second part looks at features of the context as well."""

    class Reader(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = MLP(3, (4,), 2)

        def forward(self, z, features):
            return self.net(torch.cat([z, features.expand(*z.shape[:-1], -1)], -1))

    second = Given(Reader(), DiagonalGaussian(nn.Identity()))
    return Chain(DiagonalGaussian(MLP(2, (4,), 2)), second, (1, 1), top_first=False, features=nn.Linear(2, 2))


def _ladder():
    """A top-down posterior whose lower layer shares the network of the prior."""
    lower = Ladder(DiagonalGaussian(MLP(1, (4,), 2)), DiagonalGaussian(nn.Linear(2, 2)))
    return Chain(DiagonalGaussian(MLP(2, (4,), 2)), lower, (1, 1), features=nn.Linear(2, 2))


def _factorised():
    """A posterior whose layers do not look at each other."""
    lower = OfFeatures(DiagonalGaussian(nn.Linear(2, 2)))
    return Chain(DiagonalGaussian(MLP(2, (4,), 2)), lower, (1, 1), features=nn.Linear(2, 2))


def exact_bound(model: LatentVariableModel, x: Tensor, num_samples: int = 1) -> Tensor:
    """The bound of a diagonal Gaussian q in a linear-Gaussian model, [B], in closed form: without noise."""
    q, net = model.qz_x(x), model.likelihood.net
    precision = (-2 * model.likelihood.log_scale).exp()
    squares = (x - net(q.mean)).square().sum(-1) + q.variance @ net.weight.square().sum(0)
    log_px_z = -0.5 * (precision * squares + x.shape[-1] * (2 * math.pi / precision).log())
    return log_px_z - td.kl_divergence(q, model.prior())


def _refined():
    """An encoder and two steps up the bound in a linear-Gaussian model; without noise q is the same in each call."""
    model = linear_gaussian_model(2, 2)
    joint = LatentVariableModel(model.prior, model.likelihood)
    return seeded(lambda: Refined(MLP(2, (4,), 4), joint, Ascent(0.05), 2, estimator=exact_bound))


def _uneven(prior):
    nn.init.normal_(prior.logits, generator=torch.Generator().manual_seed(0))
    return prior


def _bent(layers):
    """Layers of a flow with random weights where they start at zero."""
    for parameter in nn.ModuleList(layers).parameters():
        nn.init.normal_(parameter, std=0.3)
    return layers


def belief_net(num_latents=3, num_data_dims=4, seed=0) -> LatentVariableModel:
    """A sigmoid belief net with one layer of binary latents and an encoder that is far from the posterior, float64."""

    def make():
        decoder, encoder = MLP(num_latents, (), num_data_dims), MLP(num_data_dims, (), num_latents)
        nn.init.normal_(decoder.layers[-1].weight, std=1.5)
        nn.init.normal_(encoder.layers[-1].weight, std=0.7)
        prior, posterior = FactorisedBernoulli(torch.zeros(num_latents)), FactorisedBernoulli(encoder)
        nn.init.normal_(prior.logits)
        return LatentVariableModel(prior, Bernoulli(decoder), posterior)

    return seeded(make, seed)


def mixture_model(num_states=3, num_data_dims=4, seed=0) -> LatentVariableModel:
    """A one-hot latent with an encoder that is far from the posterior, float64."""

    def make():
        decoder, encoder = MLP(num_states, (4,), num_data_dims), MLP(num_data_dims, (), num_states)
        nn.init.normal_(decoder.layers[-1].weight, std=2.0)
        prior = Categorical((torch.linspace(1, 2, num_states) / torch.linspace(1, 2, num_states).sum()).log())
        return LatentVariableModel(prior, Bernoulli(decoder), Categorical(encoder))

    return seeded(make, seed)


def linear_gaussian_model(num_data_dims=3, num_latents=2, scale=0.8, seed=0) -> LatentVariableModel:
    """Rung (b) with random weights, float64, with its exact posterior in the third slot."""
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(num_data_dims, num_latents, generator=generator, dtype=torch.float64)
    bias = torch.randn(num_data_dims, generator=generator, dtype=torch.float64)
    return linear_gaussian(weight, bias, scale)


def neural_model(num_latents=1, num_data_dims=3, seed=0) -> LatentVariableModel:
    """Rung (c): a small decoder of binary pixels with an encoder that is far from the posterior, float64."""

    def make():
        decoder, encoder = MLP(num_latents, (4,), num_data_dims), MLP(num_data_dims, (4,), 2 * num_latents)
        nn.init.normal_(decoder.layers[-1].weight, std=1.5)
        return LatentVariableModel(StandardNormal(num_latents), Bernoulli(decoder), DiagonalGaussian(encoder))

    return seeded(make, seed)


def ladder_model(seed=0) -> LatentVariableModel:
    """Layers of two and one latents over three binary pixels, inferred from the top down on the decoder's path."""

    def make():
        below = DiagonalGaussian(MLP(2, (4,), 2))
        decoder, features = Part(MLP(1, (4,), 3), slice(2, None)), MLP(3, (4,), 4)
        lower = Ladder(below, DiagonalGaussian(nn.Linear(4, 2)))
        prior = Chain(StandardNormal(2), below, (2, 1))
        top = DiagonalGaussian(MLP(3, (4,), 4))
        return LatentVariableModel(prior, Bernoulli(decoder), Chain(top, lower, (2, 1), features=features))

    return seeded(make, seed)


def in_chunks(model: LatentVariableModel, chunk_size: int | None) -> LatentVariableModel:
    """The same model, decoding so many (sample, datum) pairs at a time."""
    return LatentVariableModel(model.prior, model.likelihood, model.posterior, chunk_size)


def all_tuples(model: LatentVariableModel, k: int):
    """Every k-tuple of states of the two-state model: a draw with the tuples as batch [k, 2^k], and their masses."""
    x = torch.ones(2**k, 1, dtype=torch.float64)
    index = torch.cartesian_prod(*[torch.arange(2)] * k).reshape(-1, k).T  # [k, 2^k]
    z = torch.eye(2, dtype=torch.float64)[index]  # [k, 2^k, 2]
    log_q = model.posterior(x).log_prob(z)  # [k, 2^k]
    return model.score(x, z, log_q), log_q.sum(0).exp()


def gauss_hermite(loc: Tensor, scale: Tensor, num_points=64):
    """Nodes [K, B, 1] and weights [K] for expectations under N(loc, scale^2), loc and scale of shape [B, 1]."""
    import numpy as np

    nodes, weights = (torch.from_numpy(part) for part in np.polynomial.hermite_e.hermegauss(num_points))
    return loc + scale * nodes[:, None, None], weights / math.sqrt(2 * math.pi)


def z_scores(samples: Tensor, expected: Tensor) -> Tensor:
    """How many standard errors the mean of samples [R, ...] is from what is expected [...]."""
    se = samples.std(0) / math.sqrt(len(samples))
    difference = samples.mean(0) - expected
    # Where every sample is the same number, rounding is all that may differ.
    exact = difference.abs() < 1e-9
    return torch.where(exact, 0.0, difference / se)


__all__ = [
    "Slot",
    "all_tuples",
    "belief_net",
    "exact_bound",
    "gauss_hermite",
    "in_chunks",
    "ladder_model",
    "linear_gaussian_model",
    "mixture_model",
    "neural_model",
    "seeded",
    "slots",
    "two_state",
]
__all__ += ["z_scores"]

# The slots whose distributions torch checks on every call, by reading a number back: two belong to EM, which trains on
# no GPU, and torch's Student t checks its degrees of freedom whatever it is told.
SLOTS_THAT_READ = {"GaussianComponents", "BayesRule", "StudentT"}
__all__ += ["SLOTS_THAT_READ"]


def unadjusted(make_kernel: Callable[..., mcmc.Kernel]) -> Callable[..., mcmc.Kernel]:
    """A kernel maker that accepts whatever is proposed, and so keeps no density."""

    def make(log_density, step_size):
        right = make_kernel(log_density, step_size)

        def step(state, generator=None):
            _, info = right.step(state, generator)
            return right.init(info.proposal), info

        return mcmc.Kernel(right.init, step)

    return make
