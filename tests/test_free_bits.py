"""Free bits: the equation by hand, what has no gradient below the floor, the inequalities, and training with it."""

from functools import partial

import pytest
import torch
import torch.distributions as td
from cases import belief_net, linear_gaussian_model, mixture_model, neural_model, seeded
from test_training import binary, fitted
from torch import nn

from vaecourse.distributions import kl_per_latent
from vaecourse.estimators import analytic_kl, free_bits
from vaecourse.posteriors import FullCovarianceGaussian
from vaecourse.priors import MixtureOfGaussians
from vaecourse.training import fit, ramp

F64 = torch.float64
X = torch.tensor([[1, 0, 1], [0, 0, 1], [1, 1, 1], [0, 1, 0]], dtype=F64)
EXACT = dict(rtol=0, atol=1e-12)


def three_latents():
    """A model of three latents whose average KLs differ: 0.01, 0.5 and 1.7 nats."""
    model = neural_model(num_latents=3)
    with torch.no_grad():
        last = model.posterior.net.layers[-1]
        last.weight.mul_(torch.tensor([0.1, 1.0, 2.0, 0.1, 1.0, 2.0], dtype=F64)[:, None])
        last.bias.copy_(torch.tensor([0.0, 0.0, 0.5, 0.1, -0.5, -1.5], dtype=F64))
    return model


def kl_by_hand(model):
    loc, log_scale = model.posterior.net(X).chunk(2, -1)
    return 0.5 * (loc.square() + (2 * log_scale).exp() - 1) - log_scale  # [B, L]


def under_the_same_noise(bound, model):
    torch.manual_seed(0)
    return bound(model, X, 3)


def gradients(value, model):
    return torch.autograd.grad(value, list(model.parameters()))


def test_kl_per_latent_is_the_textbook_formula():
    model = three_latents()
    kl = kl_per_latent(model.qz_x(X), model.prior())
    torch.testing.assert_close(kl, kl_by_hand(model), **EXACT)
    assert kl.mean(0).diff().min() > 0.2  # the floors below separate them


def test_no_floor_is_the_bound_itself():
    model = three_latents()
    plain, free = (under_the_same_noise(bound, model) for bound in (analytic_kl, partial(free_bits, free=0.0)))
    torch.testing.assert_close(free, plain, **EXACT)
    torch.testing.assert_close(gradients(free.sum(), model), gradients(plain.sum(), model), **EXACT)


@pytest.mark.parametrize("groups", [None, (1, 2), (2, 1), (3,)])
@pytest.mark.parametrize("free", [0.1, 0.7, 1.5, 5.0])
def test_equation(free, groups):
    """The mean over the batch, with the floor on the average KL of each group; not on that of each datum."""
    model = three_latents()
    kl = kl_by_hand(model)
    distortion = -(under_the_same_noise(analytic_kl, model) + kl.sum(1))  # under the same noise
    averages = torch.stack([part.sum(1).mean() for part in kl.split(list(groups or (1, 1, 1)), 1)])
    expected = -distortion.mean() - averages.clamp(min=free).sum()
    value = under_the_same_noise(partial(free_bits, free=free, groups=groups), model)
    assert value.shape == (4,)
    torch.testing.assert_close(value.mean(), expected, **EXACT)
    torch.testing.assert_close(gradients(value.mean(), model), gradients(expected, model), **EXACT)


def test_it_is_never_above_the_bound_and_at_most_the_floors_below():
    """For the mean over the batch; a datum whose own KL is above the floor of a group below it is charged less."""
    model = three_latents()
    plain = under_the_same_noise(analytic_kl, model)
    averages = kl_by_hand(model).mean(0)
    for free in (0.1, 0.7, 1.5, 5.0):
        value = under_the_same_noise(partial(free_bits, free=free), model)
        below = int((averages < free).sum())
        assert below > 0 and plain.mean() - free * below <= value.mean() < plain.mean()
    whole = partial(free_bits, free=averages.sum().item() + 0.01, groups=(3,))
    assert (under_the_same_noise(whole, model) > plain).any()


def test_below_the_floor_the_kl_has_no_gradient():
    """A decoder that is deaf to the first two latents leaves their encoder nothing but the KL to follow."""
    model = three_latents()
    with torch.no_grad():
        model.likelihood.net.layers[0].weight[:, :2] = 0
    last = model.posterior.net.layers[-1]
    for free, gone in ((0.1, [0, 3]), (0.7, [0, 1, 3, 4])):  # the first latent below the floor, then the second too
        value = under_the_same_noise(partial(free_bits, free=free), model).mean()
        weight, bias = torch.autograd.grad(value, [last.weight, last.bias])
        dead = torch.zeros(6, dtype=bool).index_fill(0, torch.tensor(gone), True)
        assert (bias[dead] == 0).all() and (weight[dead] == 0).all()
        assert (bias[~dead] != 0).all()


def test_it_keeps_a_latent_that_the_bound_gives_up():
    """Noise has nothing to tell, and its best code is none: the rate goes to zero, and with a floor to the floor."""

    def train(bound, **options):
        return fitted(bound, valid=binary(20, 1), learning_rate=0.05, **options)[1].records[-1]["rate"]

    assert train(analytic_kl) < 0.1
    assert train(partial(free_bits, free=1.0)) > 0.5
    assert train(free_bits, anneal={"free": lambda *_: 1.0}) > 0.5  # a tensor, as annealing hands it over


@pytest.mark.parametrize("name", ["beta", "free"])
def test_annealing_reaches_the_closed_form(name):
    """Each of the first ten steps has a higher value, validation the last from the first epoch on."""
    bound, seen = {"beta": analytic_kl, "free": free_bits}[name], {True: [], False: []}

    def noted(model, x, **annealed):
        seen[model.training].append(round(annealed[name].item(), 6))
        return bound(model, x, **annealed)

    model = seeded(neural_model).float()
    fit(
        model,
        noted,
        binary(),
        valid=binary(20, 1),
        num_epochs=4,
        batch_size=15,
        num_shards=1,
        anneal={name: ramp(10)},
        progress=False,
    )
    assert seen[True] == [round(min(1.0, step / 10), 6) for step in range(16)]
    assert set(seen[False]) == {1.0}


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (neural_model, {"free": -0.1}, "free must be at least 0 nats, and is -0.1"),
        (neural_model, {"free": float("nan")}, "free must be at least 0 nats, and is nan"),
        (neural_model, {"free": torch.ones(2)}, r"free must be one number of nats for all groups, and has shape \[2\]"),
        (three_latents, {"groups": (1, 1)}, r"groups must be sizes.*add up to 3 latents; got \(1, 1\)"),
        (three_latents, {"groups": (4, -1)}, r"groups must be sizes.*add up to 3 latents; got \(4, -1\)"),
        (linear_gaussian_model, {}, r"latents that are independent.*q\(z\|x\) is MultivariateNormal"),
        (belief_net, {}, r"free_bits needs a q\(z\|x\) that can be reparameterised, and Independent cannot"),
        (mixture_model, {}, r"free_bits needs a q\(z\|x\) that can be reparameterised, and OneHotCategorical cannot"),
    ],
)
def test_refusals(make, options, message):
    model = make()
    x = torch.ones(2, 4 if make in (belief_net, mixture_model) else 3, dtype=F64)
    with pytest.raises(ValueError, match=message):
        free_bits(model, x, **options)


def test_what_has_no_kl_for_each_latent_is_named():
    model = neural_model(num_latents=2)
    model.prior = seeded(lambda: MixtureOfGaussians(3, 2))
    with pytest.raises(ValueError, match=r"latents that are independent.*p\(z\) is MixtureSameFamily"):
        free_bits(model, X)
    model.posterior = seeded(lambda: FullCovarianceGaussian(nn.Linear(3, 5), 2))
    with pytest.raises(ValueError, match=r"q\(z\|x\) is MultivariateNormal"):
        free_bits(model, X)
    one = td.Independent(td.Normal(torch.zeros(1, 2), 1.0), 1)
    other = td.Independent(td.StudentT(torch.full((1, 2), 3.0)), 1)
    with pytest.raises(ValueError, match=r"no KL of Independent\(Normal, 1\) from Independent\(StudentT, 1\)"):
        kl_per_latent(one, other)
    with pytest.raises(ValueError, match=r"q\(z\|x\) has 2 latents and p\(z\) has 1"):
        kl_per_latent(one, td.Independent(td.Normal(torch.zeros(1, 1), 1.0), 1))
