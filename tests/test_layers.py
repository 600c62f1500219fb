"""Layers: chains of several, the ladder's merge, the bound with one KL a layer, and what each layer's term is."""

import math
from functools import partial

import pytest
import torch
import torch.distributions as td
from cases import ladder_model, neural_model, seeded
from torch import nn

from vaecourse import data
from vaecourse.distributions import Chain, Conditional, Given, layers_of, sample_and_log_prob
from vaecourse.estimators import analytic_kl, dreg, layerwise_kl, pathwise, stl
from vaecourse.evaluation import layer_rates, layer_terms, mean_bound
from vaecourse.exact import linear_hierarchy
from vaecourse.likelihoods import Bernoulli
from vaecourse.model import LatentVariableModel
from vaecourse.networks import MLP, Joined, Part, Rescale
from vaecourse.objectives import iwae
from vaecourse.posteriors import DiagonalGaussian, FullCovarianceGaussian, Ladder, OfFeatures
from vaecourse.priors import MixtureOfGaussians, StandardNormal
from vaecourse.training import fit
from vaecourse.training.anneal import ramp

F64 = torch.float64
EXACT = dict(rtol=1e-10, atol=1e-10)
X = torch.tensor([[0.0, 1.0, 1.0], [1.0, 0.0, 0.0]], dtype=F64)


def gaussian(size_in, size_out):
    return DiagonalGaussian(MLP(size_in, (4,), 2 * size_out))


def reading(size_z, size_features, size_out):
    """A Gaussian given the layer above and the features."""
    return Given(Joined(MLP(size_z + size_features, (4,), 2 * size_out)), DiagonalGaussian(nn.Identity()))


# ------------------------------------------------------------------------------------------------ three layers


@pytest.mark.parametrize("top_first", [True, False])
def test_a_markov_chain_of_three_layers_by_hand(top_first):
    """Each given the one before it and the features; from the top down whichever is drawn first."""
    sizes = (1, 2, 3) if top_first else (3, 2, 1)
    chain = seeded(lambda: Chain.over([gaussian(4, 1), reading(1, 5, 2), reading(2, 5, 3)],
                                      sizes, top_first, nn.Linear(4, 5)))  # fmt: skip
    x = torch.randn(6, 4, dtype=F64)
    z, log_q = sample_and_log_prob(chain(x), (3,))
    a, b, c = z.split(sizes, -1) if top_first else z.split(sizes, -1)[::-1]
    h, second, third = chain.features(x), chain.second.first, chain.second.second
    by_hand = [chain.first(x).log_prob(a), second(a, h).log_prob(b), third(b, h).log_prob(c)]
    torch.testing.assert_close(chain(x).log_probs(z), torch.stack(by_hand if top_first else by_hand[::-1]), **EXACT)
    torch.testing.assert_close(log_q, sum(by_hand), **EXACT)
    turns = [layer.turn for layer in chain(x).layers(z)]
    assert turns == ([0, 1, 2] if top_first else [2, 1, 0])


def test_features_run_once():
    calls = []
    features = nn.Linear(4, 5)
    features.register_forward_hook(lambda *_: calls.append(1))
    chain = Chain.over([gaussian(4, 1), reading(1, 5, 2), reading(2, 5, 3)], (1, 2, 3), features=features)
    q = chain(torch.zeros(6, 4))
    z, _ = sample_and_log_prob(q, (30,))
    q.log_probs(z)
    assert len(calls) == 1


def test_drawing_runs_every_conditional_once():
    """For the samples and their densities together: z of 50 samples goes through the inner networks one time."""
    calls = []
    second = gaussian(1, 2)
    second.register_forward_hook(lambda *_: calls.append(1))
    sample_and_log_prob(Chain(StandardNormal(1), second, (1, 2))(), (50,))
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Chain.over([StandardNormal(2)], (2,)), r"layers must be two conditionals .*; got 1 and \[2\]"),
        (lambda: Chain.over([StandardNormal(2), gaussian(2, 1)], (2, 1, 1)), r"got 2 and \[2, 1, 1\]"),
        (lambda: Chain(StandardNormal(1), gaussian(1, 2), (1, 1))().sample(),
         r"sizes must be .* and is \(1, 1\) where the one that is drawn second has 2"),
        (lambda: Chain(StandardNormal(1), gaussian(1, 2), (1, 2))().log_prob(torch.zeros(5, 2)),
         r"value must be \[\.\.\., 3\], for parts of sizes \(1, 2\), and has shape \[5, 2\]"),
    ],
)  # fmt: skip
def test_bad_chains(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# ------------------------------------------------------------------------------------------------ posteriors


def test_the_ladder_is_bayes_rule():
    """Its density is the product of both Gaussians, normalised: the difference is one number for all z_1."""
    prior, evidence = (seeded(lambda: gaussian(2, 3)) for _ in range(2))
    z_2, h = torch.randn(5, 4, 2, dtype=F64), torch.randn(4, 2, dtype=F64)
    q = Ladder(prior, evidence)(z_2, h)
    z_1 = torch.randn(20, 5, 4, 3, dtype=F64)
    product = prior(z_2).log_prob(z_1) + evidence(h).log_prob(z_1)
    off = product - q.log_prob(z_1)
    torch.testing.assert_close(off, off[:1].expand(20, -1, -1), **EXACT)


def test_without_evidence_the_ladder_is_the_prior_and_with_all_of_it_the_encoder():
    """Precisions of 0 and of infinity: log-scales of +-40."""
    prior = seeded(lambda: gaussian(2, 3))
    z_2 = torch.randn(4, 2, dtype=F64)
    for log_scale, expected in ((40.0, prior(z_2).mean), (-40.0, torch.full((4, 3), 2.0, dtype=F64))):
        message = torch.tensor([2.0] * 3 + [log_scale] * 3, dtype=F64).expand(4, -1)
        q = Ladder(prior, DiagonalGaussian(nn.Identity()))(z_2, message)
        torch.testing.assert_close(q.mean, expected, **EXACT)


@pytest.mark.parametrize("name", ["prior", "evidence"])
def test_a_ladder_of_other_families_is_refused(name):
    parts = {"prior": gaussian(2, 2), "evidence": gaussian(3, 2)}
    parts[name] = FullCovarianceGaussian(nn.Linear(2 if name == "prior" else 3, 5), 2)
    with pytest.raises(ValueError, match=f"{name} must give a diagonal Gaussian, and gives MultivariateNormal"):
        Ladder(**parts)(torch.zeros(4, 2), torch.zeros(4, 3))


def test_layers_of_features_do_not_look_at_each_other():
    q = seeded(lambda: Chain(gaussian(3, 1), OfFeatures(gaussian(3, 2)), (1, 2), features=nn.Identity()))(X)
    z = q.sample((1000,))
    lower = q.layers(z)[1].distribution
    assert lower.batch_shape == (1000, 2) and torch.equal(lower.mean[0], lower.mean[-1])
    assert len(z[..., 1:].unique()) == 1000 * 2 * 2  # each of its own noise


# ------------------------------------------------------------------------------------------------ the bound


def two_layers(kind):
    """Sizes 2 over 1 of three binary pixels, with a q of random weights."""

    def make():
        prior = Chain(StandardNormal(2), gaussian(2, 1), (2, 1))
        if kind == "bottom-up":
            q = Chain(gaussian(3, 1), gaussian(1, 2), (2, 1), top_first=False)
        elif kind == "factorised":
            q = Chain(gaussian(3, 2), OfFeatures(gaussian(3, 1)), (2, 1), features=nn.Identity())
        else:
            q = Chain(gaussian(3, 2), reading(2, 3, 1), (2, 1), features=nn.Identity())
        return LatentVariableModel(prior, Bernoulli(Part(MLP(1, (4,), 3), slice(2, None))), q)

    return seeded(make)


@pytest.mark.parametrize("kind", ["ladder", "top-down", "factorised"])
def test_one_kl_a_layer_in_place_of_samples(kind):
    """Under the same noise both bounds differ by terms of mean zero: they agree over many draws, value and gradient."""
    model = ladder_model() if kind == "ladder" else two_layers(kind)
    parameters = list(model.parameters())
    differences, slopes = [], []
    for seed in range(40):
        values = []
        for estimator in (layerwise_kl, pathwise):
            torch.manual_seed(seed)
            values.append(estimator(model, X, 400))
        differences.append((values[0] - values[1]).detach())
        slope = torch.autograd.grad((values[0] - values[1]).mean(), parameters)
        slopes.append(torch.cat([part.flatten() for part in slope]))
    for runs, name in ((torch.stack(differences), "value"), (torch.stack(slopes), "gradient")):
        error = runs.std(0) / math.sqrt(40)
        # Some hundred z-scores: one above 5 has probability 1e-4. What has no noise is the decoder's.
        assert (runs.mean(0).abs() <= 5 * error + 1e-12).all(), name


def test_its_inner_kl_by_hand():
    """PixelVAE's sum for a factorised q, from the same samples and torch's own divergences."""
    model = two_layers("factorised")
    torch.manual_seed(0)
    value = layerwise_kl(model, X, 3, beta=0.7)
    torch.manual_seed(0)
    z = model.posterior(X).rsample((3,))
    z_2 = z[..., :2]
    q_2, q_1 = model.posterior.first(X), model.posterior.second.conditional(X)
    inner = td.kl_divergence(q_1.expand((3, 2)), model.prior.second(z_2)).mean(0)
    outer = td.kl_divergence(q_2, td.Independent(td.Normal(torch.zeros(2, dtype=F64), 1.0), 1))
    expected = model.likelihood(z).log_prob(X).mean(0) - 0.7 * (inner + outer)
    torch.testing.assert_close(value, expected, **EXACT)


def test_with_one_layer_it_is_analytic_kl():
    values = []
    for estimator in (layerwise_kl, analytic_kl):
        torch.manual_seed(0)
        values.append(estimator(neural_model(2), X, 5, beta=0.3))
    torch.testing.assert_close(*values, **EXACT)


def test_a_layer_without_a_closed_form_is_sampled():
    """A mixture on top: its term is log q - log p of the sample, the other layer's stays a KL."""
    model = two_layers("factorised")
    model.prior.first = seeded(lambda: MixtureOfGaussians(3, 2))
    torch.manual_seed(0)
    value = layerwise_kl(model, X, 3)
    torch.manual_seed(0)
    q, z = model.posterior(X), model.posterior(X).rsample((3,))
    of_q, of_p = q.layers(z), model.prior().layers(z)
    top = (of_q[0].log_prob - of_p[0].log_prob).mean(0)
    inner = td.kl_divergence(of_q[1].distribution, of_p[1].distribution).mean(0)
    torch.testing.assert_close(value, model.likelihood(z).log_prob(X).mean(0) - top - inner, **EXACT)


def test_a_bottom_up_q_has_no_such_bound():
    with pytest.raises(ValueError, match=r"layerwise_kl needs a q.* in the prior's order, .* use pathwise"):
        layerwise_kl(two_layers("bottom-up"), X)


@pytest.mark.parametrize("call", [layerwise_kl, layer_terms, layer_rates])
def test_other_layers_are_refused(call):
    model = two_layers("top-down")
    model.posterior = seeded(lambda: gaussian(3, 3))
    with pytest.raises(
        ValueError, match=r"the layers of p\(z\), which are of sizes \[2, 1\] from the top down, and has"
    ):
        call(model, X)


def test_gradients_of_a_hierarchy_at_the_exact_posterior():
    """Sticking the landing and DReG have none for q, sample by sample; the pathwise estimator has noise."""
    exact = linear_hierarchy(torch.ones(2, 1), torch.ones(3, 2), scale_above=0.5)
    for inference in ("top-down", "bottom-up"):
        model, x = exact.model(inference), torch.randn(4, 3, dtype=F64)
        parameters = list(model.posterior.parameters())
        sizes = {}
        for estimator in (stl, dreg, pathwise):
            slope = torch.autograd.grad(estimator(model, x, 3).sum(), parameters)
            sizes[estimator] = max(part.abs().max().item() for part in slope)
        assert sizes[stl] < 1e-9 and sizes[dreg] < 1e-9 and sizes[pathwise] > 0.01


# ------------------------------------------------------------------------------------------------ terms


def test_what_each_term_is():
    kinds = {kind: layer_terms(two_layers(kind), X).is_kl for kind in ("bottom-up", "top-down", "factorised")}
    assert kinds == {"bottom-up": (True, False), "top-down": (True, True), "factorised": (True, True)}
    three = seeded(lambda: LatentVariableModel(
        Chain.over([StandardNormal(1), gaussian(1, 1), gaussian(1, 1)], (1, 1, 1)), Bernoulli(MLP(3, (4,), 3)),
        Chain.over([gaussian(3, 1), gaussian(1, 1), gaussian(1, 1)], (1, 1, 1), top_first=False)))  # fmt: skip
    assert layer_terms(three, X).is_kl == (True, False, False)
    assert layer_terms(neural_model(2), X).is_kl == (True,)


def test_terms_add_up_to_the_rate_and_their_errors_are_over_data():
    model = ladder_model()
    x = torch.randint(0, 2, (50, 3), generator=torch.Generator().manual_seed(0)).double()
    torch.manual_seed(0)
    terms = layer_terms(model, x, 16, batch_size=50)
    torch.manual_seed(0)
    q = model.posterior(x)
    z = q.sample((16,))
    by_hand = (q.log_probs(z) - model.prior().log_probs(z)).mean(1)
    torch.testing.assert_close(terms.terms, by_hand.detach(), **EXACT)
    table = terms.table()
    assert list(table.index) == ["z_2", "z_1", "sum"]
    assert list(table["kind"]) == ["KL", "KL given the layers drawn before", "KL"]
    assert table.loc["z_1", "se"] == pytest.approx(by_hand[1].std().item() / math.sqrt(50))
    assert terms.mean_and_se("z_2")[0] == pytest.approx(by_hand[0].mean().item())
    assert table.loc["sum", "mean"] == pytest.approx(table["mean"].iloc[:2].sum())
    bottom_up = layer_terms(two_layers("bottom-up"), x).table()
    assert list(bottom_up["kind"]) == ["KL given the layers drawn before", "no divergence", "KL"]


def test_batches_bound_the_memory_and_keep_the_order():
    """At a q without noise to speak of the parts are the whole."""
    model = two_layers("top-down")
    for layer in (model.posterior.first.net, model.posterior.second.net.net):
        with torch.no_grad():
            layer.layers[-1].bias[len(layer.layers[-1].bias) // 2 :] -= 15
            layer.layers[-1].weight[len(layer.layers[-1].bias) // 2 :] *= 0
            layer.layers[-1].weight *= 10
    x = torch.randint(0, 2, (23, 3), generator=torch.Generator().manual_seed(0)).double()
    q_terms = [layer_terms(model, x, 2000, batch_size=size).terms for size in (23, 5)]
    # What noise there is: log q of a sample, 0.7 a latent, over 2,000 samples.
    torch.testing.assert_close(*q_terms, rtol=0, atol=6 * math.sqrt(2) / math.sqrt(2000))
    assert (q_terms[0][1].max() - q_terms[0][1].min()) > 1  # data differ by more than that


@pytest.mark.parametrize("name", ["num_samples", "batch_size"])
def test_bad_numbers(name):
    with pytest.raises(ValueError, match=f"{name} must be at least 1, and is 0"):
        layer_terms(ladder_model(), X, **{name: 0})


def test_weights_that_are_no_numbers_are_named():
    model = ladder_model()
    with torch.no_grad():
        model.posterior.first.net.layers[0].weight[0, 0] = math.nan
    with pytest.raises(ValueError, match=r"because the weights posterior.first.net.layers.0.weight are not all finite"):
        layer_terms(model, X)


# ------------------------------------------------------------------------------------------------ training


def digits_model(kind):
    enc = nn.Sequential(Rescale(0.5, 0.5), MLP(64, (16,), 16), nn.Tanh())
    below = gaussian(2, 4)
    lower: dict[str, Conditional] = {
        "ladder": Ladder(below, DiagonalGaussian(nn.Linear(16, 8))),
        "factorised": OfFeatures(DiagonalGaussian(nn.Linear(16, 8))),
    }
    q = Chain(Given(enc, DiagonalGaussian(nn.Linear(16, 4))), lower[kind], (2, 4), features=enc)
    decoder = Bernoulli(Part(MLP(4, (16,), 64), slice(2, None)))
    return LatentVariableModel(Chain(StandardNormal(2), below, (2, 4)), decoder, q)


@pytest.mark.parametrize("kind", ["ladder", "factorised"])
@pytest.mark.parametrize("bound", [layerwise_kl, stl, partial(pathwise, objective=iwae, num_samples=3)])
def test_trains_with_warm_up_and_a_column_for_every_layer(kind, bound):
    train, valid = (data.load("digits", split, "fixed").head(size) for split, size in (("train", 400), ("valid", 100)))
    torch.manual_seed(0)
    model = digits_model(kind)
    anneal = {"beta": ramp(10)} if bound is layerwise_kl else None
    history = fit(model, bound, train, valid=valid, num_epochs=3, learning_rate=3e-3, anneal=anneal,
                  monitor=layer_rates, progress=False)  # fmt: skip
    frame = history.frame()
    assert frame["valid_bound"].iloc[-1] > frame["valid_bound"].iloc[0]
    total = frame["rate_z1"] + frame["rate_z2"]
    torch.testing.assert_close(
        torch.tensor(total.to_numpy()), torch.tensor(frame["rate"].to_numpy()), rtol=0, atol=1e-4
    )
    best = model, valid.realise()
    torch.manual_seed(0)
    assert mean_bound(best[0], layerwise_kl, best[1])[0] == pytest.approx(
        mean_bound(best[0], pathwise, best[1])[0], abs=1
    )


def test_one_layer_is_its_own_only_layer():
    q = neural_model(2).posterior(X)
    z = q.sample((4,))
    (layer,) = layers_of(q, z)
    assert layer.distribution is q and layer.turn == 0
    torch.testing.assert_close(layer.log_prob, q.log_prob(z))
