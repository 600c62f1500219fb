"""EM: exact steps, monotone traces and fixed points, against closed forms, enumeration and scikit-learn."""

import math
import warnings

import numpy as np
import pytest
import torch
import torch.distributions as td

from vaecourse import data
from vaecourse.em import BernoulliMixture, GaussianMixture, ProbabilisticPCA
from vaecourse.exact import enumeration
from vaecourse.model import LatentVariableModel
from vaecourse.objectives import elbo, iwae

# Sums of about 1e5 float64 terms of size 1e2: rounding stays below 1e-9 nats.
ROUNDING = 1e-9


def blobs(num_data=300, seed=0):
    generator = torch.Generator().manual_seed(seed)
    centres = torch.tensor([[0.0, 0.0], [4.0, 1.0], [1.0, 5.0]], dtype=torch.float64)
    noise = torch.randn(num_data, 2, generator=generator, dtype=torch.float64)
    return centres[torch.arange(num_data) % 3] + noise @ torch.tensor([[1.0, 0.4], [0.0, 0.8]]).double()


def binary_digits():
    return data.load("digits", "valid", "dynamic").realise().double()


def counts():
    return data.load("digits", "valid").realise().double()


CASES = {
    "gaussian": lambda seed=0: (GaussianMixture.from_data(blobs(), 3, seed), blobs()),
    "bernoulli": lambda seed=0: (BernoulliMixture.from_data(binary_digits(), 8, seed), binary_digits()),
    "ppca": lambda seed=0: (ProbabilisticPCA.from_data(counts(), 5, seed), counts()),
}
every_model = pytest.mark.parametrize("case", CASES)


@every_model
def test_bound_plus_kl_is_log_likelihood(case):
    """At any q, not only the posterior: L(q) + KL(q || p(z|x)) = log p(x)."""
    model, x = CASES[case]()
    model.fit(x, num_steps=3)
    other, _ = CASES[case](seed=1)
    q, posterior = other.e_step(x), model.e_step(x)
    gap = model.log_likelihood(x) - model.bound(x, q)
    torch.testing.assert_close(gap, td.kl_divergence(q, posterior), rtol=1e-8, atol=1e-8)
    assert gap.sum() > 1  # the q was another one
    torch.testing.assert_close(model.bound(x, posterior), model.log_likelihood(x))


@every_model
def test_trace_is_monotone_and_interlaced(case):
    model, x = CASES[case]()
    trace = model.fit(x, num_steps=15)
    assert len(trace.log_likelihood) == 16 and len(trace.bound) == 15
    assert (trace.bound - trace.log_likelihood[:-1]).min() >= -ROUNDING  # the M step raises the bound
    assert (trace.log_likelihood[1:] - trace.bound).min() >= -ROUNDING  # the E step closes the gap
    torch.testing.assert_close(trace.log_likelihood[-1], model.log_likelihood(x).sum())
    assert trace.log_likelihood[-1] > trace.log_likelihood[0] + 1


@every_model
def test_m_step_is_a_maximum(case):
    """The gradient of the bound in theta vanishes after the M step, though q is not the new posterior."""
    model, x = CASES[case]()
    model.fit(x, num_steps=2)
    q = model.e_step(x)
    before = model.bound(x, q).sum()
    model.m_step(x, q)
    if case == "ppca":
        model.likelihood.log_scale.requires_grad_()
    bound = model.bound(x, q).sum()
    bound.backward()
    assert bound > before + 0.1
    tensors = [p for p in [*model.parameters(), *model.buffers()] if p.requires_grad]
    assert len(tensors) >= 2
    for tensor in tensors:
        gradient, size = tensor.grad, len(x) * x.shape[1]
        if case == "bernoulli" and tensor is model.likelihood.logits:
            # A pixel at its floor is a maximum at the border: there the gradient may point outwards.
            free = (model.means > 1.01e-6) & (model.means < 1 - 1.01e-6)
            assert free.sum() > 300
            gradient = gradient[free]
        assert gradient.abs().max() < 1e-11 * size


@every_model
def test_slots_form_a_latent_variable_model_with_an_exact_posterior(case):
    model, x = CASES[case]()
    model.fit(x, num_steps=3)
    draw = LatentVariableModel(model.prior, model.likelihood, model.posterior).draw(x, num_samples=4)
    log_px = model.log_likelihood(x)
    torch.testing.assert_close(draw.log_w, log_px.expand(4, -1), rtol=1e-9, atol=1e-8)
    torch.testing.assert_close(elbo(draw), log_px, rtol=1e-9, atol=1e-8)
    torch.testing.assert_close(iwae(draw), log_px, rtol=1e-9, atol=1e-8)


@every_model
def test_gradient_of_bound_is_gradient_of_log_likelihood(case):
    """Fisher's identity, with q the posterior held constant."""
    model, x = CASES[case]()
    parameters = [p for p in model.parameters() if p.requires_grad]
    bound = torch.autograd.grad(model.bound(x, model.e_step(x)).sum(), parameters)
    log_likelihood = torch.autograd.grad(model.log_likelihood(x).sum(), parameters)
    for one, other in zip(bound, log_likelihood):
        torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-8)
    assert max(gradient.abs().max() for gradient in bound) > 1  # the model was not at its maximum


@pytest.mark.parametrize("case", ["gaussian", "bernoulli"])
def test_mixture_posterior_is_that_of_enumeration(case):
    model, x = CASES[case]()
    model.fit(x, num_steps=3)
    table = enumeration(LatentVariableModel(model.prior, model.likelihood), x)
    torch.testing.assert_close(model.e_step(x).probs, table.log_mass.exp().T, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(model.log_likelihood(x), table.log_px, rtol=1e-10, atol=1e-10)


def test_gaussian_mixture_agrees_with_scikit_learn():
    from sklearn.mixture import GaussianMixture as Reference

    x = blobs()
    model = GaussianMixture.from_data(x, 3, seed=2, variance_floor=0)
    start = dict(weights_init=model.weights, means_init=model.means, precisions_init=model.covariances.inverse())
    start = {name: value.detach().numpy() for name, value in start.items()}
    reference = Reference(3, reg_covar=0, max_iter=20, tol=0, **start)
    with pytest.warns(match="did not converge"):
        reference.fit(x.numpy())
    trace = model.fit(x, num_steps=20, tolerance=0)
    assert len(trace.bound) == 20
    for mine, theirs in [
        (model.weights, reference.weights_),
        (model.means, reference.means_),
        (model.covariances, reference.covariances_),
        (model.e_step(x).probs, reference.predict_proba(x.numpy())),
        (model.log_likelihood(x), reference.score_samples(x.numpy())),
    ]:
        np.testing.assert_allclose(mine.detach().numpy(), theirs, rtol=1e-8, atol=1e-10)


def test_ppca_reaches_the_closed_form():
    # A spectrum with clear steps, because EM's rate for each direction is sigma^2 / lambda.
    generator = torch.Generator().manual_seed(3)
    scale = torch.tensor([5.0, 4.0, 3.0, 1.0, 1.0, 1.0]).double()
    x = torch.randn(400, 6, generator=generator, dtype=torch.float64) * scale + 2
    closed, model = ProbabilisticPCA.closed_form(x, 3), ProbabilisticPCA.from_data(x, 3)
    trace = model.fit(x, num_steps=500, tolerance=0)
    best = closed.log_likelihood(x).sum()
    assert trace.log_likelihood.max() <= best + ROUNDING
    torch.testing.assert_close(trace.log_likelihood[-1], best, rtol=0, atol=1e-8)
    torch.testing.assert_close(model.variance, closed.variance)
    torch.testing.assert_close(model.bias, closed.bias)
    # W is known up to a rotation of z, so its outer product is compared.
    torch.testing.assert_close(model.weight @ model.weight.T, closed.weight @ closed.weight.T, rtol=1e-5, atol=1e-5)


def test_ppca_closed_form_is_a_stationary_point_of_the_marginal():
    x = counts()
    model = ProbabilisticPCA.closed_form(x, 4)
    model.likelihood.log_scale.requires_grad_()
    model.log_likelihood(x).sum().backward()
    for gradient in (model.weight.grad, model.bias.grad, model.likelihood.log_scale.grad):
        assert gradient.abs().max() < 1e-8 * len(x)
    residual = torch.linalg.eigvalsh(torch.cov(x.T, correction=0))[:-4].mean()
    torch.testing.assert_close(model.variance, residual)


def test_a_partial_e_step_keeps_the_bound_monotone():
    """q is renewed for a tenth of the data at a time (Neal & Hinton's incremental EM)."""
    model, x = CASES["bernoulli"]()
    probs = model.e_step(x).probs
    bounds = [model.bound(x, td.OneHotCategorical(probs)).sum()]
    for step in range(30):
        part = slice(step % 10, None, 10)
        probs[part] = model.e_step(x[part]).probs
        q = td.OneHotCategorical(probs)
        bounds.append(model.bound(x, q).sum())
        model.m_step(x, q)
        bounds.append(model.bound(x, q).sum())
    assert torch.stack(bounds).detach().diff().min() >= -ROUNDING
    assert bounds[-1] > bounds[0] + 1


def test_a_dead_component_stays_dead_and_harms_nothing():
    x = blobs()
    model = GaussianMixture.from_data(x, 3)
    shares = model.e_step(x).probs.clone()
    shares[:, 1] = 0
    q = td.OneHotCategorical(shares / shares.sum(1, keepdim=True))
    mean = model.means[1].clone()
    model.m_step(x, q)
    assert model.weights[1] == 0
    torch.testing.assert_close(model.means[1], mean)
    trace = model.fit(x, num_steps=10)
    assert trace.log_likelihood.isfinite().all() and (trace.log_likelihood.diff() >= -ROUNDING).all()
    assert model.weights[1] == 0
    two = GaussianMixture(model.weights[[0, 2]], model.means[[0, 2]], model.covariances[[0, 2]])
    torch.testing.assert_close(two.log_likelihood(x), model.log_likelihood(x))


def test_variance_floor_is_a_maximum_under_its_constraint():
    """Data on a line: the floored fit is monotone, and no covariance that meets the floor scores better."""
    t = torch.linspace(-3, 3, 60, dtype=torch.float64)
    x = torch.stack([t, 2 * t], 1)
    model = GaussianMixture.from_data(x, 2, variance_floor=0.01)
    trace = model.fit(x, num_steps=30, tolerance=0)
    assert (trace.log_likelihood.diff() >= -ROUNDING).all()
    eigenvalues = torch.linalg.eigvalsh(model.covariances)
    torch.testing.assert_close(eigenvalues[:, 0], torch.full((2,), 0.01, dtype=torch.float64))
    q = model.e_step(x)
    model.m_step(x, q)
    best = model.bound(x, q).sum()
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        noise = 0.1 * torch.randn(2, 2, 2, generator=generator, dtype=torch.float64)
        values, vectors = torch.linalg.eigh(model.covariances + noise + noise.mT)
        covariances = vectors @ (values.clamp(min=0.01)[..., None] * vectors.mT)
        rival = GaussianMixture(model.weights, model.means, covariances, variance_floor=0.01)
        assert rival.bound(x, q).sum() < best


def test_a_collapse_without_a_floor_is_one_clear_sentence():
    x = torch.tensor([[0.0, 0.0], [1.0, 1.0], [2.0, 2.0], [3.0, 3.0]]).double()
    covariance = torch.eye(2).double().expand(2, 2, 2)
    model = GaussianMixture(torch.tensor([0.5, 0.5]).double(), x[:2], covariance, variance_floor=0)
    with pytest.raises(ValueError, match=r"component has collapsed.*at variance_floor 0"):
        model.fit(x)


def test_probability_floor_keeps_unseen_ink_finite():
    model = BernoulliMixture.from_data(torch.zeros(5, 3).double(), 1, probability_floor=1e-4)
    model.fit(torch.zeros(5, 3).double(), num_steps=2)
    torch.testing.assert_close(model.means, torch.full((1, 3), 1e-4).double())
    torch.testing.assert_close(
        model.log_likelihood(torch.ones(1, 3).double()), torch.tensor([3 * math.log(1e-4)]).double()
    )


def test_fit_stops_at_its_tolerance_and_changes_no_random_state():
    x = blobs()
    state = torch.random.get_rng_state()
    trace = GaussianMixture.from_data(x, 2).fit(x, num_steps=1000, tolerance=1e-3)
    assert trace.converged and len(trace.bound) < 1000
    gains = trace.log_likelihood.diff()
    assert gains[-1] < 1e-3 and (gains[:-1] >= 1e-3).all()
    short = GaussianMixture.from_data(x, 2).fit(x, num_steps=0)
    assert not short.converged and len(short.bound) == 0 and len(short.log_likelihood) == 1
    assert torch.equal(state, torch.random.get_rng_state())


def test_convergence_is_judged_by_the_likelihood_at_the_very_step():
    """With any tolerance a fit stops at the first step whose gain of log-likelihood lies below it, and not one later.

    The bound's gains, and those from bound to likelihood, fall below it at other steps.
    """
    x = blobs()
    long = GaussianMixture.from_data(x, 2).fit(x, num_steps=60, tolerance=-math.inf)
    gains = long.log_likelihood.diff()
    others = {
        "bound": long.bound.diff(prepend=long.log_likelihood[:1]),
        "E step alone": long.log_likelihood[1:] - long.bound,
        "M step alone": long.bound - long.log_likelihood[:-1],
    }
    told_apart = set()
    for tolerance in (10.0 ** torch.linspace(0.5, -5, 23)).tolist():
        first = int((gains < tolerance).nonzero()[0])
        trace = GaussianMixture.from_data(x, 2).fit(x, num_steps=60, tolerance=tolerance)
        assert trace.converged and len(trace.bound) == first + 1
        told_apart |= {name for name, other in others.items() if int((other < tolerance).nonzero()[0]) != first}
    assert told_apart == set(others)  # each of the three would have stopped elsewhere at some tolerance


@every_model
def test_a_fall_is_no_convergence(case, monkeypatch):
    """An M step that spoils one parameter: the fit names the fall, stops, and does not say that it has converged."""
    model, x = CASES[case]()
    model.fit(x, num_steps=5)
    right = type(model).m_step

    def m_step(self, x, q):
        right(self, x, q)
        parameter = self.bias if case == "ppca" else self.prior.logits
        parameter.data[0] += 30.0

    monkeypatch.setattr(type(model), "m_step", m_step)
    with pytest.warns(RuntimeWarning, match=r"EM has not converged: step 1 changed the log-likelihood by -.* nats"):
        trace = model.fit(x, num_steps=20)
    assert not trace.converged and len(trace.bound) == 1
    assert trace.log_likelihood[1] < trace.log_likelihood[0] - 1


@pytest.mark.parametrize(("fall", "converged"), [(1e-12, True), (1e-8, False), (math.nan, False)])
def test_rounding_is_not_a_fall(fall, converged, monkeypatch):
    """A fall of 1e-12 of the terms' sizes is rounding, one of 1e-8 is none; nor is what is no number."""
    model, x = CASES["gaussian"]()
    one = torch.ones(len(x), dtype=torch.float64)
    values = iter([one, one, one * (1 - fall)])  # of the likelihood, the bound, and the likelihood
    monkeypatch.setattr(model, "bound", lambda x, q: next(values))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        trace = model.fit(x, num_steps=1)
    assert trace.converged == converged and len(caught) == (not converged)


# ------------------------------------------------------------------------------------------------ float32


def wine():
    from sklearn.datasets import load_wine

    return torch.from_numpy(load_wine().data)  # its columns differ by a thousand in scale


HARD = {
    "as it is": lambda x: x,
    "offset of 1e3": lambda x: x + 1e3,
    "offset of 1e6": lambda x: x + 1e6,
    "scales apart": lambda x: x * 10.0 ** torch.linspace(-3, 3, x.shape[1], dtype=x.dtype),
    "two distant clusters": lambda x: x + 1e4 * (torch.arange(len(x)) % 2)[:, None],
}
REAL = {"wine": wine, "blobs": blobs}
MODELS = {
    "gaussian": lambda x: GaussianMixture.from_data(x, 2, variance_floor=1e-8),
    "ppca": lambda x: ProbabilisticPCA.from_data(x, 1),
    "closed form": lambda x: ProbabilisticPCA.closed_form(x, 1),
}


@pytest.mark.parametrize("shape", HARD)
@pytest.mark.parametrize("source", REAL)
@pytest.mark.parametrize("kind", MODELS)
def test_float32_data_are_fitted_as_their_float64_selves(kind, source, shape):
    """Every number of the trace is the same: moments of float32 data do not fall by hundreds of nats."""
    x = HARD[shape](REAL[source]()).float()
    model, other = MODELS[kind](x), MODELS[kind](x.double())
    trace, expected = model.fit(x, num_steps=20), other.fit(x.double(), num_steps=20)
    assert torch.equal(trace.log_likelihood, expected.log_likelihood) and trace.converged == expected.converged
    rounding = 1e-11 * expected.log_likelihood.abs().max()  # twenty steps, and columns apart by up to 1e9
    assert trace.log_likelihood.diff().min() >= -rounding
    assert (trace.bound - trace.log_likelihood[:-1]).min() >= -rounding
    assert {p.dtype for p in [*model.parameters(), *model.buffers()]} == {torch.float64}
    for score in (model.log_likelihood(x), model.bound(x, model.e_step(x))):
        assert score.dtype == torch.float64
        torch.testing.assert_close(score, other.log_likelihood(x.double()), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_binary_data_of_any_precision_are_the_same_data(dtype):
    x = binary_digits()
    expected = BernoulliMixture.from_data(x, 8).fit(x, num_steps=20)
    model = BernoulliMixture.from_data(x.to(dtype), 8)
    assert torch.equal(model.fit(x.to(dtype), num_steps=20).log_likelihood, expected.log_likelihood)
    torch.testing.assert_close(model.posterior(x.float()).probs, model.posterior(x).probs)  # as a slot, unchecked


def test_parameters_of_float32_are_taken_in_float64():
    x = blobs()
    half = torch.tensor([0.5, 0.5])
    made = [
        GaussianMixture(half, x[:2].float(), torch.eye(2).expand(2, 2, 2)),
        BernoulliMixture(half, torch.tensor([[0.2, 0.4], [0.6, 0.8]])),
        ProbabilisticPCA(torch.ones(2, 1), torch.zeros(2), 1.0),
    ]
    for model in made:
        assert {p.dtype for p in [*model.parameters(), *model.buffers()]} == {torch.float64}
        data = x.gt(0).float() if isinstance(model, BernoulliMixture) else x.float()
        assert (model.fit(data, num_steps=5).log_likelihood.diff() >= -ROUNDING).all()


# ------------------------------------------------------------------------------------------------ what is no data

MAKERS = {
    "gaussian": lambda x: GaussianMixture.from_data(x, 2),
    "bernoulli": lambda x: BernoulliMixture.from_data(x, 2),
    "ppca": lambda x: ProbabilisticPCA.from_data(x, 1),
    "closed form": lambda x: ProbabilisticPCA.closed_form(x, 1),
}
GOOD = (torch.arange(12).reshape(4, 3) * 7 % 5 > 2).double()
BAD = {
    "array": (GOOD.numpy(), r"x must be a dense tensor \[N, D\], .*; got an object of type ndarray"),
    "list": (GOOD.tolist(), "got an object of type list"),
    "data set": (torch.utils.data.TensorDataset(GOOD), "got an object of type TensorDataset"),
    "sparse": (GOOD.to_sparse(), "got one of layout torch.sparse_coo"),
    "int": (GOOD.long(), "x must hold floats; got torch.int64"),
    "uint8": (GOOD.byte(), "x must hold floats; got torch.uint8"),
    "bool": (GOOD.bool(), "x must hold floats; got torch.bool"),
    "complex": (GOOD.to(torch.complex64), "x must hold floats; got torch.complex64"),
    "nan": (torch.cat([GOOD, GOOD[:1] * math.nan]), "x must be finite; 3 of its values are not"),
    "infinite": (torch.cat([GOOD, GOOD[:1] + math.inf]), "x must be finite; 3 of its values are not"),
    "huge": (torch.cat([GOOD, GOOD[:1] * -1e200]), r"x must lie within \+-1e\+100, .* its largest is 1e\+200"),
    "1-D": (GOOD[0], r"x must have shape \[N, D\] with N >= 1; got \[3\]"),
    "3-D": (GOOD[None], r"x must have shape \[N, D\] with N >= 1; got \[1, 4, 3\]"),
    "no data": (GOOD[:0], r"got \[0, 3\]"),
    "no dimensions": (GOOD[:, :0], r"got \[4, 0\]"),
}


@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize("fault", BAD)
def test_data_that_are_none_are_named(maker, fault):
    """By the maker of a model, and by every method of one that is made."""
    x, sentence = BAD[fault]
    with pytest.raises(ValueError, match=sentence):
        MAKERS[maker](x)
    model = MAKERS[maker](GOOD)
    q = model.e_step(GOOD)
    sentence = sentence.replace("N, D", "N, 3")
    calls = (model.fit, model.e_step, model.log_likelihood, lambda x: model.bound(x, q), lambda x: model.m_step(x, q))
    for call in calls:
        with pytest.raises(ValueError, match=sentence):
            call(x)


LINE = torch.linspace(0, 1, 5, dtype=torch.float64)[:, None] * torch.tensor([1.0, 2.0, -1.0]).double()


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        # Fewer data than dimensions, or data on a line: no covariance without a floor, and no sigma^2.
        (
            lambda: GaussianMixture.from_data(GOOD[:2], 1, variance_floor=0),
            "x must vary in each of its 3 .* its 2 data",
        ),
        (lambda: GaussianMixture.from_data(LINE, 1, variance_floor=0), "x must vary in each of its 3 dimensions"),
        (lambda: ProbabilisticPCA.closed_form(LINE, 1), "more than num_latents = 1 directions.* its 5 data do not"),
        (lambda: ProbabilisticPCA.closed_form(blobs()[:2].repeat(1, 2), 2), "more than num_latents = 2 directions"),
        # Duplicates: all data the same.
        (lambda: GaussianMixture.from_data(GOOD[:1].repeat(9, 1), 2, variance_floor=0), "x must vary in each"),
        (lambda: ProbabilisticPCA.closed_form(GOOD[:1].repeat(9, 1), 1), "x must vary in more than"),
        (lambda: ProbabilisticPCA.from_data(GOOD[:1].repeat(9, 1), 1), "x must hold at least two .* got 9 without"),
        # One dimension: no room for a latent space of fewer.
        (lambda: ProbabilisticPCA.from_data(LINE[:, :1], 1), r"x must have at least two dimensions.* got \[5, 1\]"),
        (lambda: ProbabilisticPCA.closed_form(LINE[:, :1], 1), r"x must have at least two dimensions.* got \[5, 1\]"),
        (lambda: ProbabilisticPCA.from_data(GOOD[:1], 1), "x must hold at least two .* got 1 without"),
    ],
)
def test_data_without_spread_are_named(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()


def test_few_or_equal_data_are_fitted_above_a_floor():
    for x in (GOOD[:2], GOOD[:1].repeat(9, 1), LINE):
        trace = GaussianMixture.from_data(x, 2, variance_floor=1e-2).fit(x, num_steps=10)
        assert trace.log_likelihood.isfinite().all() and trace.log_likelihood.diff().min() >= -ROUNDING
    x = GOOD[:1].repeat(9, 1)
    assert BernoulliMixture.from_data(x, 3).fit(x).converged


def test_two_coins_by_hand():
    """One M step of a Bernoulli mixture in fractions: shares (1, 0), (1/2, 1/2), (0, 1) of x = 1, 1, 0."""
    x = torch.tensor([[1.0], [1.0], [0.0]]).double()
    model = BernoulliMixture(torch.tensor([0.5, 0.5]).double(), torch.tensor([[0.6], [0.2]]).double())
    torch.testing.assert_close(model.e_step(x).probs[0], torch.tensor([0.75, 0.25]).double())
    torch.testing.assert_close(model.log_likelihood(x)[0].exp(), torch.tensor(0.4).double())
    model.m_step(x, td.OneHotCategorical(torch.tensor([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]]).double()))
    torch.testing.assert_close(model.weights, torch.tensor([0.5, 0.5]).double())
    expected = torch.tensor([[1 - 1e-6], [1 / 3]], dtype=torch.float64)
    torch.testing.assert_close(model.means, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda x: GaussianMixture.from_data(x, 0), r"num_components must be in 1..300.*got 0"),
        (lambda x: GaussianMixture.from_data(x, 301), r"num_components must be in 1..300.*got 301"),
        (lambda x: GaussianMixture.from_data(x, 2, variance_floor=-1), "variance_floor must be at least 0"),
        (lambda x: GaussianMixture.from_data(x, 2).fit(x[0]), r"x must have shape \[N, 2\].*got \[2\]"),
        (
            lambda x: GaussianMixture.from_data(x, 2).float().fit(x),
            "parameters must be torch.float64.*got torch.float32",
        ),
        (lambda x: GaussianMixture.from_data(x, 2).fit(x / 0), "x must be finite; 600 of its values"),
        (lambda x: BernoulliMixture.from_data(x, 2), r"zeros and ones; got values in -3\.\d+..7"),
        (lambda x: BernoulliMixture(torch.ones(1), x[:1]), "means must lie in"),
        (lambda x: BernoulliMixture.from_data(x.gt(0).double(), 2).fit(x), "zeros and ones; got values in"),
        (
            lambda x: BernoulliMixture.from_data(x.gt(0).double(), 2).fit(x.gt(0) * x.new_tensor(0.5)),
            "zeros and ones; got values in 0..0.5",
        ),
        (
            lambda x: BernoulliMixture.from_data(x.gt(0).double(), 2, probability_floor=0),
            "probability_floor must be above 0",
        ),
        (
            lambda x: BernoulliMixture(torch.ones(2), torch.ones(2, 1)),
            "weights must be at least 0 and sum to 1",
        ),
        (
            lambda x: BernoulliMixture(torch.ones(1), torch.ones(2, 1)),
            r"weights must be \[K\] .*; got \[1\] and \[2, 1\]",
        ),
        (lambda x: GaussianMixture(torch.ones(1), x[:1], torch.eye(2)), r"covariances must be .* got \[2, 2\]"),
        (lambda x: GaussianMixture(torch.ones(1), x[:1], -torch.eye(2)[None]), "covariances must be positive definite"),
        (lambda x: GaussianMixture(torch.ones(1), x[:1] / 0, torch.eye(2)[None]), "means must be finite; 2 of their"),
        (lambda x: ProbabilisticPCA(x[:1].T, x[0, :1], 1.0), r"weight must be .* got \[2, 1\] and \[1\]"),
        (lambda x: ProbabilisticPCA.from_data(x, 2), r"num_latents must be in 1..1.*got 2"),
        (lambda x: ProbabilisticPCA(x[:, :1].T, x[0, :1], 0.0), "variance must be above 0; got 0.0"),
    ],
)
def test_bad_input_is_named(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call(blobs())
