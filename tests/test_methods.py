"""Twelve structurally hard methods train through `fit` as they are: in float32, in bfloat16, and resumed bit for bit.

The compiled ones take minutes: ``pytest -m compiled tests/test_methods.py``.
"""

import pytest
import torch
from cases import neural_model, z_scores
from methods import METHODS, Hamiltonian, iaf

from vaecourse import data
from vaecourse.distributions import frozen, sample_and_log_prob
from vaecourse.estimators import stl
from vaecourse.evaluation import importance_log_likelihood
from vaecourse.exact import quadrature
from vaecourse.model import LatentVariableModel
from vaecourse.posteriors import DiagonalGaussian
from vaecourse.priors import VampPrior
from vaecourse.training import fit, load_checkpoint, save_checkpoint

EXACT = [name for name in METHODS if name != "adversarial"]  # whose q(z|x) has a density
every_method = pytest.mark.parametrize("name", METHODS)


def made(name):
    torch.manual_seed(0)
    return METHODS[name]()


def trained(name, num_epochs=3, **options):
    """The method after some epochs of four steps on the digits, with its history."""
    method = made(name)
    train, valid = (data.load("digits", split, "fixed").head(size) for split, size in (("train", 400), ("valid", 100)))
    if method.labels:
        train, valid = train.with_labels(50), valid.with_labels()
    settings = dict(learning_rate=3e-3, num_epochs=num_epochs, valid=valid, progress=False) | method.options | options
    return method.model, fit(method.model, method.bound, train, **settings)


@every_method
def test_trains(name):
    """From random weights in twelve steps: what is maximised rises, and every parameter has moved."""
    model, history = trained(name)
    first, last = history.records[0], history.records[-1]
    assert last["valid_bound"] > first["valid_bound"]
    if name == "M2":
        assert 0 < last["accuracy"] <= 1
    if name == "ladder":
        assert last["rate_z2"] + last["rate_z1"] == pytest.approx(last["rate"], abs=1e-4)  # float32
    for (parameter_name, parameter), before in zip(model.named_parameters(), made(name).model.parameters()):
        assert not torch.equal(parameter, before), parameter_name
    assert model.sample(3).shape == (3, 64)


@every_method
def test_trains_in_bfloat16(name):
    """Nearly the same training: bfloat16 rounds to three digits, 0.4 % of some 40 nats, and errors average out."""
    plain, rounded = (trained(name, precision=precision)[1].records[-1] for precision in ("fp32", "bf16"))
    assert rounded["valid_bound"] == pytest.approx(plain["valid_bound"], abs=0.5)  # chosen: a wrong type costs more


@every_method
def test_goes_on_bit_for_bit(name, tmp_path):
    path = tmp_path / "training"
    trained(name, 2, checkpoint=path)
    resumed, whole = trained(name, 4, checkpoint=path)[0], trained(name, 4)[0]
    for (key, first), second in zip(resumed.state_dict().items(), whole.state_dict().values()):
        assert torch.equal(first, second), key


@pytest.mark.compiled
@every_method
def test_trains_compiled(name):
    plain, compiled = (trained(name, compile=compile)[1].records[-1] for compile in (False, True))
    assert compiled["valid_bound"] == pytest.approx(plain["valid_bound"], abs=0.05)  # chosen


@pytest.mark.parametrize("name", EXACT)
def test_is_evaluated_as_any_model(name):
    """The mean importance weight is p(x) for any q: the estimate of log p(x) lies above the bound of one sample."""
    model, history = trained(name, 2)
    x = data.load("digits", "valid", "fixed").head(100).realise()
    torch.manual_seed(0)
    estimate = importance_log_likelihood(model, x, num_samples=200)
    assert estimate.log_px.shape == (100,) and estimate.log_px.isfinite().all()
    assert estimate.log_px.mean() > history.records[history.best_epoch - 1]["valid_bound"]


def test_evaluation_calls_the_prior_once(monkeypatch):
    """A VampPrior runs its encoder over all pseudo-inputs in every call."""
    calls = []
    forward = VampPrior.forward
    monkeypatch.setattr(VampPrior, "forward", lambda self, c=None: calls.append(1) or forward(self, c))
    x = data.load("digits", "valid", "fixed").head(20).realise()
    importance_log_likelihood(made("VampPrior").model, x, num_samples=100, chunk_size=50)
    assert len(calls) == 1


def test_shared_slots_stay_shared_through_a_file(tmp_path):
    model = trained("VampPrior", 1)[0]
    save_checkpoint(model, tmp_path / "model")
    again = made("VampPrior").model
    load_checkpoint(again, tmp_path / "model")
    assert again.prior.posterior is again.posterior
    for first, second in zip(model.state_dict().values(), again.state_dict().values()):
        assert torch.equal(first, second)


def test_frozen_holds_all_of_a_ladder():
    """Its second layer shares the prior's network and looks at features: no gradient reaches any of them."""
    model = made("ladder").model
    x = data.load("digits", "valid", "fixed").head(5).realise()
    z = model.posterior(x).rsample((3,)).detach()
    assert model.posterior(x).log_prob(z).requires_grad and not frozen(model.posterior(x)).log_prob(z).requires_grad


def test_path_density_needs_no_inverse():
    """Sticking the landing through J^-T equals that through the inverse, which costs as many passes as latents."""
    torch.manual_seed(0)
    model = iaf(stl).model.double()
    x = data.load("digits", "valid", "fixed").head(3).realise().double()
    q = model.posterior(x)
    z, log_q = sample_and_log_prob(q, (2,), "sample")
    target = z.detach().requires_grad_()
    by_inverse = frozen(q).log_prob(target)
    torch.testing.assert_close(log_q, by_inverse, rtol=1e-10, atol=1e-10)
    (slope,) = torch.autograd.grad(log_q.sum(), z)
    torch.testing.assert_close(slope, torch.autograd.grad(by_inverse.sum(), target)[0], rtol=1e-9, atol=1e-9)


def test_hamiltonian_weights_average_to_the_evidence():
    """E exp(log w) = p(x), by quadrature of the evidence in a model of one latent that starts from a broad q."""
    model = neural_model()
    model.posterior.net.layers[-1].weight.data.zero_()
    model.posterior.net.layers[-1].bias.data.zero_()  # q_0 is the prior: the weights' variance is finite
    joint = LatentVariableModel(model.prior, model.likelihood)
    x = torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]], dtype=torch.float64)
    posterior = Hamiltonian(DiagonalGaussian(model.posterior.net), joint, 4).double()
    torch.manual_seed(0)
    with torch.no_grad():
        draw = LatentVariableModel(model.prior, model.likelihood, posterior).draw(x, 20_000)
    scores = z_scores(draw.log_w.exp(), quadrature(model, x).log_px.exp())
    assert scores.abs().max() < 4, scores  # two tests; one above 4 has probability 1e-4
