"""Every distribution of every slot against quadrature and its own samples; freezing; the KLs that torch lacks."""

import inspect
import itertools
import math
import pkgutil
import sys
from collections import defaultdict
from functools import partial
from importlib import import_module
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.distributions as td
from cases import linear_gaussian_model, seeded, slots, z_scores
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

import vaecourse
from vaecourse.distributions import Chain, Conditional, Given, frozen, frozen_module, has_jumps, sample_and_log_prob
from vaecourse.inference import Hamiltonian, ImplicitPosterior
from vaecourse.inference.hamiltonian import StandardMomentum
from vaecourse.likelihoods import Gaussian
from vaecourse.model import LatentVariableModel
from vaecourse.networks import MLP
from vaecourse.posteriors import Auxiliary, DiagonalGaussian, FullCovarianceGaussian
from vaecourse.priors import Fixed, StandardNormal

SLOTS = slots()
every_slot = pytest.mark.parametrize("name", SLOTS)
NUM_SAMPLES = 20_000


def nodes_and_weights(support):
    """Where to sum or integrate a function over two-dimensional events: x [K, 2] and weights [K]."""
    if support == "real":  # trapezoid: errors far below 1e-10 for scales above twice the spacing of 0.07
        axis = torch.linspace(-14, 14, 401, dtype=torch.float64)
        return torch.cartesian_prod(axis, axis), torch.full(
            (401**2,), float(axis[1] - axis[0]) ** 2, dtype=torch.float64
        )
    if support == "unit":
        nodes, weights = (torch.from_numpy(part) / 8 for part in np.polynomial.legendre.leggauss(40))
        middles = torch.arange(4, dtype=torch.float64) / 4 + 0.125  # four panels: a density may jump between them
        nodes, weights = (middles[:, None] + nodes).flatten(), weights.repeat(4)
        return torch.cartesian_prod(nodes, nodes), torch.cartesian_prod(weights, weights).prod(-1)
    if support == "one-hot":
        return torch.eye(2, dtype=torch.float64), torch.ones(2, dtype=torch.float64)
    counts = torch.arange(int(support.split()[1]) + 1, dtype=torch.float64)
    x = torch.cartesian_prod(counts, counts)
    return x, torch.ones(len(x), dtype=torch.float64)


def integrals(slot):
    """(1, entropy, E x1, E x2, E x1^2, E x2^2, E x1 x2) by quadrature or summation."""
    x, weights = nodes_and_weights(slot.support)
    log_p = log_prob(slot, x)
    mass = log_p.exp() * weights
    return torch.stack([mass.sum(), *(mass @ statistics(x, torch.where(mass > 0, log_p, 0.0)))])


def log_prob(slot, x):
    distribution = slot.conditional(slot.context)
    return distribution.log_prob(x[:, None] if distribution.batch_shape else x).flatten()


def statistics(x, log_p):
    return torch.stack([-log_p, x[:, 0], x[:, 1], x[:, 0] ** 2, x[:, 1] ** 2, x[:, 0] * x[:, 1]], 1)


@every_slot
def test_density_sums_to_one(name):
    torch.testing.assert_close(integrals(SLOTS[name])[0].item(), 1.0, rtol=0, atol=1e-8)


@every_slot
def test_samples_follow_the_density(name):
    """Entropy and moments of the samples; 6 z-scores for each slot, of which one above 4 has probability 4e-4."""
    slot = SLOTS[name]
    torch.manual_seed(0)
    x = slot.conditional(slot.context).sample((NUM_SAMPLES,)).reshape(NUM_SAMPLES, 2)
    scores = z_scores(statistics(x, log_prob(slot, x).detach()), integrals(slot)[1:])
    assert scores.abs().max() < 4, scores


@every_slot
def test_event_is_the_whole_variable(name):
    slot = SLOTS[name]
    distribution = slot.conditional(slot.context)
    assert distribution.event_shape == (2,)
    assert distribution.sample((5,)).dtype == torch.float64


def test_moments_test_can_fail():
    """A density whose logarithm is off by a factor of two in scale is caught by both tests above."""

    class LogVarianceAsScale(Conditional):
        def forward(self, c=None):
            q = DiagonalGaussian(nn.Identity())(c)
            q.log_prob = lambda z: td.Independent(td.Normal(q.mean, q.variance), 1).log_prob(z)
            return q

    slot = SLOTS["Gaussian"]._replace(
        conditional=LogVarianceAsScale(), context=torch.tensor([[0.1, 0.2, -0.3, 0.4]], dtype=torch.float64)
    )
    x = slot.conditional(slot.context).sample((NUM_SAMPLES,)).reshape(NUM_SAMPLES, 2)
    assert z_scores(statistics(x, log_prob(slot, x)), integrals(slot)[1:]).abs().max() > 4


# What has samples and no density of its own: tests/test_extended.py, tests/test_implicit.py.
WITHOUT_DENSITY = {Auxiliary, Hamiltonian, ImplicitPosterior, StandardMomentum}


def test_every_conditional_is_tested_here():
    for module in pkgutil.walk_packages(vaecourse.__path__, "vaecourse."):
        if not module.name.startswith(("vaecourse.publish", "vaecourse.__main__")):
            import_module(module.name)
    tested = {type(part) for slot in SLOTS.values() for part in slot.conditional.modules()}  # a chain's parts too
    pending = [Conditional]
    while pending:
        kind = pending.pop()
        pending += kind.__subclasses__()
        if kind.__module__.startswith("vaecourse") and not inspect.isabstract(kind):
            known = kind in tested or kind in WITHOUT_DENSITY
            assert known, f"{kind.__name__} belongs into cases.slots()"


# ------------------------------------------------------------------------------------------------ sampling


def encoder():
    return seeded(lambda: DiagonalGaussian(MLP(3, (4,), 4)))


def test_which_way_the_gradient_goes():
    """The three gradients of E log q(z), which add up: of z and the density, of z alone, of the density alone."""
    slot, x = encoder(), torch.randn(5, 3, dtype=torch.float64)
    gradients = {}
    for through in ("both", "sample", "density"):
        torch.manual_seed(0)
        z, log_q = sample_and_log_prob(slot(x), (7,), through)
        assert z.shape == (7, 5, 2) and log_q.shape == (7, 5) and z.requires_grad == (through != "density")
        torch.testing.assert_close(log_q, slot(x).log_prob(z))
        gradients[through] = torch.cat([g.flatten() for g in torch.autograd.grad(log_q.sum(), list(slot.parameters()))])
    torch.testing.assert_close(gradients["sample"] + gradients["density"], gradients["both"], rtol=0, atol=1e-12)
    assert all(gradient.abs().max() > 0.1 for gradient in gradients.values())


def test_a_distribution_may_know_better_how_to_sample_itself():
    q = encoder()(torch.zeros(1, 3, dtype=torch.float64))
    q.rsample_and_log_prob = lambda shape: ("own", shape)
    q.rsample_and_path_log_prob = lambda shape: ("own path", shape)
    assert sample_and_log_prob(q, (7,)) == ("own", (7,))
    assert sample_and_log_prob(q, (7,), "sample") == ("own path", (7,))
    assert sample_and_log_prob(q, (7,), "density")[0].shape == (7, 1, 2)


def test_discrete_samples_carry_their_gradient_in_the_density():
    q = td.OneHotCategorical(logits=torch.zeros(3, requires_grad=True))
    z, log_q = sample_and_log_prob(q, (2,))
    assert not z.requires_grad and log_q.requires_grad
    with pytest.raises(ValueError, match='through="sample" needs a distribution with rsample, and OneHotCategorical'):
        sample_and_log_prob(q, (2,), "sample")
    with pytest.raises(ValueError, match='through must be "both", "sample" or "density", and is \'path\''):
        sample_and_log_prob(q, (2,), "path")


@pytest.mark.parametrize("through", ["both", "sample", "density"])
def test_autocast_rounds_neither_samples_nor_densities(through):
    """Of a full Gaussian, whose matrix products it would round to three digits, as prior and as posterior."""
    model = LatentVariableModel(
        Fixed(td.MultivariateNormal(torch.zeros(2), scale_tril=torch.tensor([[1.1, 0.0], [0.7, 0.3]]))),
        Gaussian(nn.Identity()),
        seeded(lambda: FullCovarianceGaussian(nn.Identity(), 2)).float(),
    )
    x, images = torch.randn(50, 5), torch.randn(50, 2)
    draws = []
    for rounding in (False, True):
        torch.manual_seed(0)
        q = model.posterior(x)
        with torch.autocast("cpu", torch.bfloat16, enabled=rounding):
            draws.append(model.draw(images, 20, q=q, through=through))
    for plain, rounded in zip(*draws):
        assert torch.equal(plain, rounded)


def test_autocast_reaches_the_networks_of_a_distribution():
    """One that samples by a network is left to itself: bfloat16 inside, and no clash of types."""
    q = Pushed(nn.Linear(2, 2), torch.zeros(4, 2), torch.ones(4, 2))
    with torch.autocast("cpu", torch.bfloat16):
        z, log_q = sample_and_log_prob(q, (3,))
    assert z.dtype == torch.bfloat16 and log_q.dtype == torch.float32


def test_layers_of_a_chain_stand_from_the_top_down_whatever_is_drawn_first():
    """Three layers of sizes 1, 2 and 3, drawn from the bottom up: each by hand from the parts of z."""
    middle = seeded(lambda: Chain(gaussian(4, 3), gaussian(3, 2), (2, 3), top_first=False))
    chain = Chain(middle, seeded(lambda: gaussian(5, 1)), (1, 5), top_first=False)
    x = torch.randn(6, 4, dtype=torch.float64)
    z, log_q = sample_and_log_prob(chain(x), (3,))
    bottom, above = z[..., 3:], z[..., 1:]
    by_hand = [chain.second(above).log_prob(z[..., :1]), middle.second(bottom).log_prob(z[..., 1:3])]
    by_hand.append(middle.first(x).log_prob(bottom))
    torch.testing.assert_close(chain(x).log_probs(z), torch.stack(by_hand))
    torch.testing.assert_close(log_q, sum(by_hand))


def test_a_chain_of_independent_layers():
    """A layer that does not look at what was drawn before it has samples of its own beside every one of them."""
    prior = Chain(StandardNormal(1), StandardNormal(2), (1, 2))
    z, log_p = sample_and_log_prob(prior().expand((5,)), (4,))
    assert z.shape == (4, 5, 3) and len(z.reshape(-1).unique()) == z.numel()
    torch.testing.assert_close(log_p, StandardNormal(3)().log_prob(z))


def test_sizes_of_a_chain_are_checked():
    """(1, 2) for parts of 3 and 2: the density would broadcast the first dimension over all three."""
    with pytest.raises(ValueError, match=r"sizes must be .* and is \(1, 2\) where the one that is drawn first has 3"):
        Chain(StandardNormal(3), gaussian(1, 2), (1, 2))()


def gaussian(size, dim):
    return DiagonalGaussian(MLP(size, (4,), 2 * dim))


@pytest.mark.parametrize("through", ["both", "sample", "density"])
def test_a_cache_hides_nothing_of_a_gradient(through):
    """A transform with a cache gives back what it made its last value of, where it should invert with live parameters.

    Where everything moves, the density of what one standard normal becomes does not depend on the shift.
    """
    gradients = []
    for cache_size in (0, 1):
        loc, scale = (torch.tensor(value, dtype=torch.float64, requires_grad=True) for value in ([0.3, -0.2], [0.5, 2]))
        shift = td.AffineTransform(loc, scale, event_dim=1, cache_size=cache_size)
        q = td.TransformedDistribution(_normal(torch.zeros_like(loc), torch.ones_like(loc)), [shift])
        torch.manual_seed(0)
        _, log_q = sample_and_log_prob(q, (5,), through)
        gradients.append(torch.autograd.grad(log_q.sum(), [loc, scale], allow_unused=True, materialize_grads=True))
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-12, atol=1e-12)


def test_dropout_inside_a_distribution_scores_its_own_samples_or_is_refused():
    """E p(z)/q(z) = 1 over q's samples, to 5 standard errors; with a second mask in the density it has no bound."""
    second = nn.Sequential(nn.Linear(1, 8), nn.Dropout(0.5), nn.Linear(8, 2))
    q = seeded(lambda: Chain(StandardNormal(1), DiagonalGaussian(second), (1, 1)))()
    torch.manual_seed(0)
    with torch.no_grad():
        z, log_q = sample_and_log_prob(q, (NUM_SAMPLES,))
        weight = (td.Independent(td.Normal(torch.zeros_like(z), 0.5), 1).log_prob(z) - log_q).exp()
    assert (weight.mean() - 1).abs() < 5 * weight.std() / math.sqrt(NUM_SAMPLES)
    for through in ("sample", "density"):
        with pytest.raises(ValueError, match="ChainDistribution runs a network with dropout whenever it is asked"):
            sample_and_log_prob(q, (3,), through)
    second.eval()
    assert sample_and_log_prob(q, (3,), "sample")[0].shape == (3, 2)


class Pushed(td.Distribution):
    """A Gaussian whose samples a network looks at; held by a distribution, as modules may be."""

    arg_constraints = {}  # noqa: RUF012
    has_rsample = True

    def __init__(self, net, loc, scale):
        self.net, self.base = net, _normal(loc, scale)
        super().__init__(loc.shape[:1], loc.shape[1:], validate_args=False)

    def rsample(self, sample_shape=torch.Size()):  # noqa: B008
        return self.net(self.base.rsample(sample_shape))

    def log_prob(self, value):
        return self.base.log_prob(value.float())


class Steps(td.Distribution):
    """A density with jumps."""

    has_jumps = True


def test_jumps_are_found_wherever_they_are_held():
    normal = _normal(torch.zeros(2), torch.ones(2))
    steps = Steps(torch.Size([2]), validate_args=False)
    assert has_jumps(steps) and has_jumps(td.Independent(steps, 1)) and not has_jumps(normal)
    held = Pushed(nn.Identity(), torch.zeros(1, 2), torch.ones(1, 2))
    held.parts = [normal, td.Independent(steps, 1)]
    assert has_jumps(held)


@pytest.mark.parametrize("top_first", [True, False])
def test_layers_of_a_chain_by_hand(top_first):
    """From the top down whichever is drawn first; a chain in a chain shows each of its layers."""
    first, second, third = (seeded(lambda n=n: DiagonalGaussian(nn.Linear(n, 2))) for n in (3, 1, 2))
    x, z = torch.randn(4, 3, dtype=torch.float64), torch.randn(5, 4, 3, dtype=torch.float64)
    a, b, c = z.split(1, -1) if top_first else z.split(1, -1)[::-1]  # as they are drawn
    pair = Chain(first, second, (1, 1), top_first)
    q = Chain(pair, third, (2, 1) if top_first else (1, 2), top_first)(x)
    both = torch.cat([a, b] if top_first else [b, a], -1)
    layers = [first(x).log_prob(a), second(a).log_prob(b), third(both).log_prob(c)]
    expected = torch.stack(layers if top_first else layers[::-1])
    torch.testing.assert_close(q.log_probs(z), expected, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(q.log_prob(z), expected.sum(0), rtol=1e-12, atol=1e-12)
    z, log_q = sample_and_log_prob(q, (6,))
    torch.testing.assert_close(log_q, q.log_prob(z), rtol=1e-12, atol=1e-12)
    slopes = [torch.autograd.grad(value.sum(), list(third.parameters()), retain_graph=True)
              for value in (log_q, q.log_prob(z))]  # fmt: skip
    torch.testing.assert_close(*slopes, rtol=1e-12, atol=1e-12)


def test_given_reads_its_context_through_the_network():
    net, inner = nn.Linear(3, 4), DiagonalGaussian(nn.Identity())
    c = torch.randn(6, 3)
    torch.testing.assert_close(Given(net, inner)(c).mean, net(c)[:, :2])


# ------------------------------------------------------------------------------------------------ freezing


class Shift(td.Transform):
    """A transform that keeps its parameters in a module, evaluated only when it is used."""

    domain = codomain = td.constraints.real_vector
    bijective = True

    def __init__(self, net, cache_size=0):
        super().__init__(cache_size)
        self.net = net

    def _call(self, x):
        return x + self.net(torch.ones_like(x))

    def _inverse(self, y):
        return y - self.net(torch.ones_like(y))

    def log_abs_det_jacobian(self, x, y):
        return torch.zeros_like(x[..., 0])


def _normal(loc, scale):
    return td.Independent(td.Normal(loc, scale), 1)


def live_distributions():
    """Distributions over [2] that depend on leaves, in every way a distribution can hold its parameters."""
    leaf = lambda *values: torch.tensor(values, dtype=torch.float64, requires_grad=True)  # noqa: E731
    loc, scale, net = leaf(0.1, 0.2), leaf(0.5, 1.5), nn.Linear(2, 2).double()
    shifted = td.TransformedDistribution(_normal(loc, scale), [Shift(net)])
    held = Shift(net)
    held_inverse = held.inv  # keeps the transform's weak reference to its inverse alive
    inverse = td.TransformedDistribution(_normal(loc, scale), [held_inverse])
    inverse.held = held
    dropout = DiagonalGaussian(nn.Sequential(nn.Linear(3, 64), nn.Dropout(0.5), nn.Linear(64, 4)).double().train())
    full = leaf([1.0, 0.0], [0.3, 0.7])
    mixture = td.MixtureSameFamily(
        td.Categorical(logits=leaf(0.2, -0.1)), _normal(leaf([0.0, 1.0], [1.0, 0.0]), leaf([0.5, 1.0], [1.0, 1.0]))
    )
    chained = [td.AffineTransform(loc, scale), Shift(net, cache_size=1), td.AffineTransform(scale, loc)]
    return {
        "Independent": _normal(loc, scale),
        "MultivariateNormal": td.MultivariateNormal(loc, scale_tril=full),
        "from covariance": td.MultivariateNormal(loc, covariance_matrix=full @ full.T),
        "MixtureSameFamily": mixture,
        "TransformedDistribution": shifted,
        "inverse transform": inverse,
        "chain of transforms": td.TransformedDistribution(_normal(loc, scale), chained),
        "dropout": dropout(torch.ones(3, dtype=torch.float64)),
        "used before": _used(td.MultivariateNormal(loc, scale_tril=full)),
    }


def _used(q):
    q.covariance_matrix, q.precision_matrix, q.sample()  # fills the lazy properties
    return q


@pytest.mark.parametrize("name", live_distributions())
def test_frozen_is_the_same_distribution_held_constant(name):
    q = live_distributions()[name]
    z = torch.randn(4, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    still = frozen(q)
    log_q, log_still = q.log_prob(z), still.log_prob(z)
    torch.testing.assert_close(log_q, log_still, rtol=0, atol=0)  # the same, so dropout drew the same q
    (grad_live,) = torch.autograd.grad(log_q.sum(), z, retain_graph=True)
    (grad_still,) = torch.autograd.grad(log_still.sum(), z, retain_graph=True)
    torch.testing.assert_close(grad_live, grad_still, rtol=0, atol=0)  # the argument is not frozen
    leaves = _leaves(log_q)
    assert len(leaves) > 1 and _leaves(log_still) == {id(z)}  # nothing but z is left
    assert _leaves(q.log_prob(z)) == leaves  # and the original still has all of them


def _leaves(value):
    """The leaves that a value's graph reaches, by identity."""
    seen, pending, found = set(), [value.grad_fn], set()
    while pending:
        node = pending.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if hasattr(node, "variable"):
            found.add(id(node.variable))
        pending += [parent for parent, _ in node.next_functions]
    return found


def test_frozen_leaves_modules_untouched():
    net = nn.Linear(2, 2)
    before = {name: (id(value), value.clone()) for name, value in net.named_parameters()}
    q = td.TransformedDistribution(_normal(torch.zeros(2), torch.ones(2)), [Shift(net)])
    still = frozen(q)
    assert still.transforms[0].net is not net
    assert all(value.requires_grad and id(value) == before[name][0] for name, value in net.named_parameters())
    still.log_prob(torch.zeros(2))
    assert all(value.grad is None and torch.equal(value, before[name][1]) for name, value in net.named_parameters())


HIDDEN = [lambda net: lambda z: net(z), lambda net: partial(torch.mul, net.weight), lambda net: net.forward]


@pytest.mark.parametrize("hide", HIDDEN, ids=["closure", "partial", "bound method"])
def test_frozen_refuses_functions(hide):
    """What a closure, a partial or a bound method hides would keep its gradient."""
    q = _normal(torch.zeros(2), torch.ones(2))
    q.hidden = hide(nn.Linear(2, 2))
    with pytest.raises(TypeError, match="must hold distributions, modules and tensors, and holds the function"):
        frozen(q)


def test_frozen_refuses_what_hides_tensors():
    """Objects of a kind that is not looked into, and compiled modules whose parameters Python does not see."""
    q = _normal(torch.zeros(2), torch.ones(2))
    for hidden in (SimpleNamespace(scale=torch.ones(2, requires_grad=True)), {torch.ones(2, requires_grad=True)}):
        q.hidden = hidden
        with pytest.raises(TypeError, match=f"and holds the {type(hidden).__name__} .* cannot be held constant"):
            frozen(q)
    with pytest.raises(TypeError, match="ScriptModule cannot be held constant"):
        frozen_module(torch.jit.trace(nn.Linear(2, 2), torch.zeros(1, 2)))


def test_frozen_reaches_into_every_module():
    """Computed weights, a bound method among the attributes, and what torch.compile puts in front of a module."""

    class Own(nn.Linear):
        def __init__(self):
            super().__init__(2, 2)
            self.own = super().forward
            self.options = defaultdict(list, scale=[self.weight])

        def forward(self, x):
            return self.own(x) * self.options["scale"][0].sum()

    compiled = nn.Linear(2, 2)
    compiled.compile(backend="eager")
    nets = [
        Own(),
        weight_norm(nn.Linear(2, 2)),
        nn.LSTM(2, 2),
        compiled,
        torch.compile(nn.Linear(2, 2), backend="eager"),
    ]
    for net in nets:
        result = frozen_module(net)(torch.ones(3, 2))
        live = net(torch.ones(3, 2))
        result, live = (part[0] if isinstance(part, tuple) else part for part in (result, live))
        assert live.requires_grad and not result.requires_grad, net
        assert torch.equal(result, live), net


def test_frozen_leaves_the_functions_of_modules():
    """Activations and hooks are a module's code."""
    net = nn.Linear(2, 2)
    net.activation = torch.tanh
    net.register_forward_hook(lambda *_: None)
    q = td.TransformedDistribution(_normal(torch.zeros(2), torch.ones(2)), [Shift(net)])
    assert not frozen(q).log_prob(torch.zeros(2)).requires_grad
    assert not frozen_module(net)(torch.zeros(2)).requires_grad and net(torch.zeros(2)).requires_grad


def test_frozen_keeps_what_is_shared():
    loc = torch.zeros(2, requires_grad=True)
    net = nn.Linear(2, 2)
    q = td.TransformedDistribution(_normal(loc, loc.exp()), [Shift(net), Shift(net)])
    first, second = frozen(q).transforms
    assert first.net is second.net


# ------------------------------------------------------------------------------------------------ Kullback-Leibler


def gaussians():
    """Diagonal and full Gaussians over [2], with a batch of three."""
    torch.manual_seed(3)
    c = torch.randn(3, 4, dtype=torch.float64)
    return {
        "diagonal": seeded(lambda: DiagonalGaussian(MLP(4, (), 4)))(c),
        "full": seeded(lambda: FullCovarianceGaussian(MLP(4, (), 5), 2))(c),
    }


@pytest.mark.parametrize(("q", "p"), [("full", "diagonal"), ("diagonal", "full")])
def test_kl_of_full_and_diagonal(q, p):
    q, p = gaussians()[q], gaussians()[p]
    kl = td.kl_divergence(q, p)
    full = [td.MultivariateNormal(d.mean, scale_tril=_cholesky(d)) for d in (q, p)]
    torch.testing.assert_close(kl, td.kl_divergence(*full), rtol=1e-12, atol=1e-12)
    torch.manual_seed(0)
    z = q.sample((NUM_SAMPLES,))
    scores = z_scores((q.log_prob(z) - p.log_prob(z)).detach(), kl.detach())
    assert scores.abs().max() < 4, scores


def _cholesky(d):
    return d.scale_tril if isinstance(d, td.MultivariateNormal) else d.base_dist.scale.diag_embed()


def test_kl_broadcasts_over_the_batch():
    q = gaussians()["full"]
    prior = _normal(torch.zeros(2).double(), torch.full((2,), 2.0).double())
    kl = td.kl_divergence(q, prior)
    assert kl.shape == (3,)
    one = td.MultivariateNormal(q.loc[1], scale_tril=q.scale_tril[1])
    torch.testing.assert_close(kl[1], td.kl_divergence(one, prior))


def test_kl_without_closed_form_is_refused():
    q = gaussians()["full"]
    p = td.Independent(td.Laplace(torch.zeros(2).double(), torch.ones(2).double()), 1)
    ours = "no closed form" if "pyro" not in sys.modules else None  # which registers one of these pairs as its own
    for pair in itertools.permutations((q, p)):
        with pytest.raises(NotImplementedError, match=ours):
            td.kl_divergence(*pair)


def test_entropy_of_the_standard_normal():
    """A number known by heart: L/2 log(2 pi e)."""
    assert integrals(SLOTS["StandardNormal"])[1].item() == pytest.approx(math.log(2 * math.pi * math.e), abs=1e-9)


def test_linear_gaussian_posterior_is_normalised_joint():
    """log p(x, z) - log p(z|x) is the same at every z."""
    model = linear_gaussian_model()
    x, z = torch.randn(4, 3, dtype=torch.float64), torch.randn(9, 4, 2, dtype=torch.float64)
    evidence = model.log_joint(x, z) - model.posterior(x).log_prob(z)
    torch.testing.assert_close(evidence, evidence[:1].expand_as(evidence), rtol=1e-10, atol=1e-10)
