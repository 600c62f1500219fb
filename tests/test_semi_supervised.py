"""M2: its bound by enumeration of classes and latents, where its gradient goes, and what it learns from few labels."""

import math
from functools import partial
from typing import ClassVar

import pytest
import torch
import torch.distributions as td
from cases import neural_model, seeded
from torch import nn

from vaecourse import data
from vaecourse.distributions import Categorical, Chain, Conditional, Given
from vaecourse.estimators.semi_supervised import accuracy, classify, semi_supervised
from vaecourse.likelihoods import Bernoulli
from vaecourse.model import LatentVariableModel
from vaecourse.networks import MLP, Joined, Rescale
from vaecourse.objectives import beta_elbo, iwae
from vaecourse.posteriors import DiagonalGaussian
from vaecourse.priors import StandardNormal
from vaecourse.training import fit

F64 = torch.float64
CLASSES, STATES, PIXELS = 3, 4, 5
Y, Z = torch.eye(CLASSES, dtype=F64), torch.eye(STATES, dtype=F64)
SEEN = torch.tensor([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]], dtype=F64)
X = torch.tensor([[1, 0, 1, 1, 0], [0, 0, 1, 0, 0], [1, 0, 1, 1, 0], [1, 1, 0, 0, 1]], dtype=F64)


def joint(model, x):
    """log p(x, y, z) of every class and state, [C, K, B]."""
    latents = torch.cat([Y[:, None].expand(-1, STATES, -1), Z.expand(CLASSES, -1, -1)], -1)  # [C, K, C + K]
    return model.log_joint(x, latents.flatten(0, 1)[:, None]).unflatten(0, (CLASSES, STATES))


class OfClass(nn.Module):
    """log p(x, y) of every class, by enumeration."""

    def __init__(self, generative):
        super().__init__()
        self.generative = generative

    def forward(self, x):
        return joint(self.generative, x).logsumexp(1).T  # [B, C]


class OfState(nn.Module):
    """log p(x, y, z) of every state given a class, by enumeration."""

    def __init__(self, generative):
        super().__init__()
        self.generative = generative

    def forward(self, y, x):
        return (joint(self.generative, x).permute(2, 0, 1) * y[..., None]).sum(-2)  # [..., B, K]


class Each(td.Distribution):
    """The even distribution of z, of which so many samples as there are states are one of each."""

    arg_constraints: ClassVar = {}

    def __init__(self, batch_shape):
        super().__init__(batch_shape, torch.Size([STATES]), validate_args=False)

    def sample(self, sample_shape=()):
        assert tuple(sample_shape) == (STATES,)
        return Z.view(STATES, *[1] * len(self.batch_shape), STATES).expand(STATES, *self.batch_shape, STATES)

    def log_prob(self, value):
        return torch.full(value.shape[:-1], -math.log(STATES), dtype=F64)


class Even(Conditional):
    def forward(self, y, features):
        return Each(y.shape[:-1])


def finite_model(exact):
    """Three classes, four states of z, five pixels, float64; q exact, or a network of the class and an even q of z."""

    def make():
        prior = Chain(Categorical(torch.tensor([0.2, 0.5, 0.3]).log()), Categorical(nn.Linear(3, 4)), (CLASSES, STATES))
        decoder = MLP(CLASSES + STATES, (6,), PIXELS)
        nn.init.normal_(decoder.layers[-1].weight, std=2.0)
        generative = LatentVariableModel(prior, Bernoulli(decoder))
        of_class = OfClass(generative) if exact else nn.Linear(PIXELS, CLASSES)
        of_state = Given(OfState(generative), Categorical(nn.Identity())) if exact else Even()
        posterior = Chain(Categorical(of_class), of_state, (CLASSES, STATES), features=nn.Identity())
        return LatentVariableModel(prior, generative.likelihood, posterior)

    return seeded(make)


def test_tight_with_the_exact_posterior():
    """Whatever is drawn: log p(x, y) of a datum with a label, log p(x) of one without."""
    model = finite_model(exact=True)
    log_pxy = joint(model, X).logsumexp(1)  # [C, B]
    expected = torch.where(SEEN.sum(-1) > 0, (log_pxy.T * SEEN).sum(-1), log_pxy.logsumexp(0))
    for objective in (None, iwae):
        options = {} if objective is None else {"objective": objective}
        torch.testing.assert_close(semi_supervised(model, X, SEEN, 3, **options), expected, rtol=0, atol=1e-10)


def by_hand(model, x, y):
    """Equations 6 and 7 with their expectations over an even q(z|x, y) written out, and log p(x, y), log p(x)."""
    log_joint = joint(model, x)
    of_each = (log_joint + math.log(STATES)).mean(1).T  # L(x, y), [B, C]
    log_qy = model.posterior.first(x).logits
    withheld = (log_qy.exp() * (of_each - log_qy)).sum(-1)
    observed = (of_each * y).sum(-1)
    log_pxy = log_joint.logsumexp(1).T
    evidence = torch.where(y.sum(-1) > 0, (log_pxy * y).sum(-1), log_pxy.logsumexp(-1))
    return torch.where(y.sum(-1) > 0, observed, withheld), evidence


def test_bound_and_gradient_by_enumeration():
    """For any q: the value, below the evidence, and the gradient of every parameter, q(y|x)'s among them."""
    model = finite_model(exact=False)
    expected, evidence = by_hand(model, X, SEEN)
    value = semi_supervised(model, X, SEEN, STATES)
    torch.testing.assert_close(value, expected, rtol=0, atol=1e-10)
    assert (value < evidence - 1e-3).all()
    parameters = list(model.parameters())
    for datum in range(len(X)):
        own, by_formula = (
            torch.autograd.grad(part[datum], parameters, retain_graph=True, materialize_grads=True)
            for part in (value, expected)
        )
        torch.testing.assert_close(own, by_formula, rtol=0, atol=1e-10)


def test_with_every_state_the_importance_weighted_bound_is_the_evidence():
    """Under any q(y|x), which the exact sum over classes replaces."""
    model = finite_model(exact=False)
    _, evidence = by_hand(model, X, SEEN)
    value = semi_supervised(model, X, SEEN, STATES, objective=iwae)
    torch.testing.assert_close(value, evidence, rtol=0, atol=1e-10)


def test_who_teaches_the_classifier():
    """Unlabelled data do; a label does by alpha alone, with alpha times the slope of log q(y|x), and costs bound."""
    model = finite_model(exact=False)
    weight = model.posterior.first.logits.weight

    def slope(datum, alpha):
        values = semi_supervised(model, X, SEEN, STATES, alpha=alpha)
        return torch.autograd.grad(values[datum], weight, materialize_grads=True)[0], values.detach()

    assert (slope(0, 0.0)[0] == 0).all() and slope(2, 0.0)[0].abs().max() > 0.01
    (log_q,) = torch.autograd.grad((classify(model, X)[0] * SEEN[0]).sum(), weight)
    with_term, values = slope(0, 2.5)
    torch.testing.assert_close(with_term, 2.5 * log_q, rtol=0, atol=1e-12)
    plain = slope(0, 0.0)[1]
    assert (values[:2] < plain[:2]).all() and torch.equal(values[2:], plain[2:])


def test_a_datum_does_not_depend_on_those_beside_it():
    model = finite_model(exact=False)
    together = semi_supervised(model, X, SEEN, STATES, alpha=1.0)
    alone = [semi_supervised(model, X[b : b + 1], SEEN[b : b + 1], STATES, alpha=1.0) for b in range(len(X))]
    torch.testing.assert_close(together, torch.cat(alone), rtol=0, atol=1e-12)


def test_options_reach_the_objective():
    """beta weighs the whole rate, of class and latents: at beta = 0 the reconstruction is left."""
    model = finite_model(exact=False)
    value = semi_supervised(model, X, SEEN, STATES, objective=beta_elbo, beta=1.0)
    torch.testing.assert_close(value, semi_supervised(model, X, SEEN, STATES), rtol=0, atol=1e-12)
    assert (semi_supervised(model, X, SEEN, STATES, objective=beta_elbo, beta=0.0) > value).all()


def digits_model(num_latents=8, hidden=64):
    sizes = 10, num_latents
    of_latents = Given(Joined(MLP(10 + 64, (hidden,), 2 * num_latents)), DiagonalGaussian(nn.Identity()))
    return LatentVariableModel(
        Chain(Categorical(torch.zeros(10)), StandardNormal(num_latents), sizes),
        Bernoulli(MLP(sum(sizes), (hidden,), 64)),
        Chain(
            Categorical(nn.Sequential(Rescale(0.5, 0.5), MLP(64, (hidden,), 10))),
            of_latents,
            sizes,
            features=Rescale(0.5, 0.5),
        ),
    )


def test_learns_the_classes_from_a_hundred_labels():
    """Through `fit`, labelled and unlabelled digits in one bound; a class of q(y|x) is a digit, and so is a sample."""
    torch.manual_seed(0)
    model = digits_model()
    train = data.load("digits", "train", "dynamic").with_labels(100)
    valid = data.load("digits", "valid", "dynamic").with_labels()
    bound = partial(semi_supervised, alpha=5.0)
    settings = dict(num_epochs=8, learning_rate=5e-3, monitor=accuracy, progress=False)
    history = fit(model, bound, train, valid=valid, **settings)
    first, last = history.records[0], history.records[-1]
    assert last["valid_bound"] > first["valid_bound"] + 5
    assert last["accuracy"] > 0.6  # by chance 0.1
    y = torch.eye(10)
    images = model.likelihood(torch.cat([y, torch.zeros(10, 8)], -1)).mean  # one style
    assert (classify(model, images).argmax(-1) == torch.arange(10)).sum() >= 5


# ------------------------------------------------------------------------------------------------ bad input


def test_no_labels():
    with pytest.raises(ValueError, match=r"y must be labels, and there are none: batches bring them after train.with_"):
        semi_supervised(finite_model(exact=True), X)
    with pytest.raises(ValueError, match="accuracy needs a label for each datum, and 2 of 4 are withheld"):
        accuracy(finite_model(exact=True), X, SEEN)


def test_a_label_outside_the_classes():
    with pytest.raises(
        ValueError, match=r"y must be \[4, 3\], one-hot in the 3 classes of q\(y\|x\), and has shape \[4"
    ):
        semi_supervised(finite_model(exact=True), X, torch.eye(4, dtype=F64))


def test_a_model_without_a_class():
    with pytest.raises(ValueError, match="whose first part is a Categorical, and the model has Independent"):
        semi_supervised(neural_model(), X[:, :3], SEEN)


@pytest.mark.parametrize("alpha", [-1.0, math.nan])
def test_alpha_below_zero(alpha):
    with pytest.raises(ValueError, match="alpha must be at least 0, and is"):
        semi_supervised(finite_model(exact=True), X, SEEN, alpha=alpha)
