"""Refined posteriors: exact steps in the linear-Gaussian model, gradients through them, what learns from what, cost."""

import copy
from functools import partial

import pytest
import torch
import torch.distributions as td
from cases import exact_bound, linear_gaussian_model, neural_model, seeded, z_scores
from torch import nn

from vaecourse.distributions import frozen_module
from vaecourse.estimators import analytic_kl, pathwise, stl
from vaecourse.evaluation import importance_log_likelihood
from vaecourse.inference import (
    AdamAscent,
    Ascent,
    DecoderEvaluations,
    LearnedUpdate,
    Refined,
    every_step,
    svi_from_encoder,
)
from vaecourse.model import LatentVariableModel
from vaecourse.networks import MLP
from vaecourse.posteriors import DiagonalGaussian

F64 = torch.float64
X = torch.randn(6, 3, dtype=F64, generator=torch.Generator().manual_seed(1))
RATE, STEPS = 0.125, 5  # a rate that float32 holds exactly


def refined(update=None, num_steps=STEPS, joint=None, **options):
    """A model whose q is refined from a small random encoder; in the linear-Gaussian model by exact slopes."""
    model = linear_gaussian_model() if joint is None else joint
    joint = LatentVariableModel(model.prior, model.likelihood)
    options = {"estimator": exact_bound} | options if isinstance(model.likelihood.net, nn.Linear) else options
    num_latents = model.prior().event_shape[0]
    made = seeded(
        lambda: Refined(MLP(3, (4,), 2 * num_latents), joint, update or Ascent(RATE), num_steps, **options), 2
    )
    return LatentVariableModel(joint.prior, joint.likelihood, made)


def curvature_and_top(model):
    """M = I + W'W / s^2 and the mean of the posterior, [L, L] and [B, L]."""
    exact = linear_gaussian_model().posterior(X)
    return exact.precision_matrix[0].detach(), exact.mean.detach()


# ------------------------------------------------------------------------------------------------ exact steps


@pytest.mark.parametrize("num_steps", [0, 1, 5, 40])
def test_mean_after_t_steps(num_steps):
    """mu_T - mu* = (I - eta M)^T (mu_0 - mu*): the bound is a parabola in the mean."""
    model = refined(num_steps=num_steps)
    curvature, top = curvature_and_top(model)
    start = model.posterior.encoder(X).chunk(2, -1)[0]
    shrink = torch.linalg.matrix_power(torch.eye(2, dtype=F64) - RATE * curvature, num_steps)
    torch.testing.assert_close(model.qz_x(X).mean, top + (start - top) @ shrink.T, rtol=0, atol=1e-12)


def test_log_scales_follow_their_slope():
    """d L / d log s = 1 - s^2 M_ll, whose step is written out here."""
    model = refined(num_steps=3)
    diagonal = curvature_and_top(model)[0].diagonal()
    log_scale = model.posterior.encoder(X).chunk(2, -1)[1]
    for _ in range(3):
        log_scale = log_scale + RATE * (1 - (2 * log_scale).exp() * diagonal)
    torch.testing.assert_close(model.qz_x(X).stddev.log(), log_scale, rtol=0, atol=1e-12)


def test_rate_beyond_two_over_the_curvature_runs_away():
    curvature = curvature_and_top(refined())[0]
    limit = 2 / torch.linalg.eigvalsh(curvature)[-1].item()
    means = []
    for rate in (0.95 * limit, 1.05 * limit):
        path = refined(Ascent(rate), estimator=mean_only).posterior.trajectory(X, 200)
        means.append([(q.mean - curvature_and_top(None)[1]).norm() for q in (path[0], path[-1])])
    assert means[0][1] < 1e-2 * means[0][0]  # 0.9^200 = 7e-10 along the sharp direction; the flat one is slower
    assert means[1][1] > 1e3 * means[1][0]  # 1.1^200 = 2e8


def mean_only(model, x, num_samples=1):
    """The exact bound with the scales held constant, whose own steps have another limit."""
    q = model.qz_x(x)
    held = DiagonalGaussian(nn.Identity())(torch.cat([q.mean, q.stddev.log().detach()], -1))
    return exact_bound(LatentVariableModel(model.prior, model.likelihood, lambda c: held), x)


def test_sampled_slopes_have_the_exact_mean():
    """The slope by the mean is linear in z, so that E mu_T is the exact one whatever the scales; 12 z-scores."""
    model = refined(num_steps=3, estimator=analytic_kl)
    exact = refined(num_steps=3)
    copies = X.repeat(4000, 1)
    torch.manual_seed(0)
    with torch.no_grad():
        means = model.qz_x(copies).mean.unflatten(0, (4000, 6))
        scores = z_scores(means, exact.qz_x(X).mean)
    assert scores.abs().max() < 4, scores  # 12 scores; one above 4 has probability 8e-4


def test_adam_is_adam():
    """The same numbers as torch.optim.Adam on every datum's parameters."""
    model = refined(AdamAscent(0.1, betas=(0.8, 0.95)), num_steps=7)
    parameters = model.posterior.encoder(X).detach().requires_grad_()
    optimiser = torch.optim.Adam([parameters], lr=0.1, betas=(0.8, 0.95))
    for _ in range(7):
        q = model.posterior.family(parameters)
        loss = -exact_bound(LatentVariableModel(model.prior, model.likelihood, lambda c, q=q: q), X).sum()
        (parameters.grad,) = torch.autograd.grad(loss, parameters)
        optimiser.step()
    torch.testing.assert_close(model.posterior.parameters_along(X)[-1], parameters, rtol=0, atol=1e-12)


def test_adams_first_step_does_not_look_at_the_slopes_size():
    update = AdamAscent(0.1)
    for slope in (1e-3, 1.0, 1e3):
        moved, _ = update(torch.zeros(1, 1, dtype=F64), torch.full((1, 1), slope, dtype=F64), None)
        assert moved.item() == pytest.approx(0.1, rel=1e-4)  # eps / 1e-3


def test_rates_by_step_and_coordinate():
    """Row t is step t's, and the last goes on; a learned rate is a parameter."""
    update = Ascent(torch.tensor([[0.1, 0.2], [0.3, 0.4]]), learn=True).double()
    parameters, memory, seen = torch.zeros(1, 2, dtype=F64), None, []
    for _ in range(3):
        parameters, memory = update(parameters, torch.ones(1, 2, dtype=F64), memory)
        seen.append(parameters.tolist()[0])
    torch.testing.assert_close(torch.tensor(seen), torch.tensor([[0.1, 0.2], [0.4, 0.6], [0.7, 1.0]]))
    assert [name for name, _ in update.named_parameters()] == ["log_rate"]
    assert not list(Ascent(0.1).parameters())


def test_long_slopes_are_cut_to_the_norm():
    slope = torch.tensor([[3.0, 4.0], [0.3, 0.4], [0.0, 0.0]], dtype=F64, requires_grad=True)
    moved, _ = Ascent(1.0, max_norm=1.0).double()(torch.zeros(3, 2, dtype=F64), slope)
    torch.testing.assert_close(moved, torch.tensor([[0.6, 0.8], [0.3, 0.4], [0.0, 0.0]], dtype=F64))
    assert torch.autograd.grad(moved.sum(), slope)[0].isfinite().all()  # a slope of zero, too, has a derivative


# ------------------------------------------------------------------------------------------------ gradients


def test_gradient_through_the_steps_in_closed_form():
    """d L(mu_T) / d mu_0 = (I - eta M)^T M (mu* - mu_T): the better the refinement, the less the encoder hears."""
    model = refined()
    curvature, top = curvature_and_top(model)
    start = model.posterior.encoder(X).detach().requires_grad_()
    model.posterior.encoder = _Table(start)
    (slope,) = torch.autograd.grad(exact_bound(model, X).sum(), start)
    shrink = torch.linalg.matrix_power(torch.eye(2, dtype=F64) - RATE * curvature, STEPS)
    expected = (top - model.qz_x(X).mean) @ curvature @ shrink
    torch.testing.assert_close(slope[:, :2], expected.detach(), rtol=0, atol=1e-11)


class _Table(nn.Module):
    def __init__(self, rows):
        super().__init__()
        self.rows = rows

    def forward(self, x):
        return self.rows


@pytest.mark.parametrize("update", [Ascent(0.1, learn=True), AdamAscent(0.05), LearnedUpdate(2, (5,))])
def test_gradient_through_the_steps_by_finite_differences(update):
    """Every parameter's derivative of the refined bound, the decoder's and the update's too, with the same noise."""
    if isinstance(update, LearnedUpdate):
        nn.init.normal_(update.net.layers[-1].weight, std=0.3, generator=torch.Generator().manual_seed(0))
    model = refined(update.double(), num_steps=3, joint=neural_model(), num_samples=2)
    x = (X > 0).double()

    def bound():
        torch.manual_seed(3)
        return analytic_kl(model, x, 4).sum()

    slopes = torch.autograd.grad(bound(), list(model.parameters()))
    for parameter, slope in zip(model.parameters(), slopes):
        entry = int(slope.abs().argmax())
        numbers = parameter.data.view(-1)
        sides = []
        for sign in (1, -1):
            numbers[entry] += sign * 1e-5
            sides.append(bound().item())
            numbers[entry] -= sign * 1e-5
        by_difference = (sides[0] - sides[1]) / 2e-5
        assert slope.flatten()[entry].item() == pytest.approx(by_difference, rel=1e-5, abs=1e-8)


def test_path_holds_the_slopes_constant():
    """mu_1 = mu_0 + eta g with g a constant: d L(mu_1) / d mu_0 is the slope at mu_1 itself, without (I - eta M)."""
    model = refined(num_steps=1, through="path")
    curvature, top = curvature_and_top(model)
    start = model.posterior.encoder(X).detach().requires_grad_()
    model.posterior.encoder = _Table(start)
    (slope,) = torch.autograd.grad(exact_bound(model, X).sum(), start)
    torch.testing.assert_close(slope[:, :2], ((top - model.qz_x(X).mean) @ curvature).detach(), rtol=0, atol=1e-11)


def test_nothing_leaves_the_bound_to_the_decoder():
    model = refined(through="nothing")
    assert not model.qz_x(X).mean.requires_grad
    assert model.posterior.trajectory(X)[0].mean.requires_grad
    slopes = torch.autograd.grad(exact_bound(model, X).sum(), list(model.parameters()), allow_unused=True)
    moved = {name for (name, _), slope in zip(model.named_parameters(), slopes) if slope is not None}
    assert moved and all(name.startswith("likelihood.") for name in moved)


@pytest.mark.parametrize("aim", ["bound", "refined"])
def test_svi_from_encoder_gives_each_side_its_own(aim):
    """The decoder's gradient is that at the refined q, the encoder's that of its own bound, or of the KL to it."""
    model = refined(AdamAscent(0.05), 4, neural_model(), num_samples=3, through="nothing")
    x = (X > 0).double()
    names, parameters = zip(*model.named_parameters())
    state = torch.manual_seed(5).get_state()
    bound = svi_from_encoder(model, x, 2, aim)
    got = dict(zip(names, torch.autograd.grad(bound.sum(), parameters, allow_unused=True)))

    torch.set_rng_state(state)
    start, *_, end = model.posterior.trajectory(x)
    at_end = analytic_kl(LatentVariableModel(model.prior, model.likelihood, lambda c: end), x, 2)
    if aim == "bound":
        own = analytic_kl(LatentVariableModel(model.prior, frozen_module(model.likelihood), lambda c: start), x, 2)
    else:
        own = -td.kl_divergence(start, end)
    torch.testing.assert_close(bound, at_end)
    wanted = dict(zip(names, torch.autograd.grad((at_end + own).sum(), parameters, allow_unused=True)))
    for name in names:
        if wanted[name] is None:
            assert got[name] is None or not got[name].any(), name
        else:
            torch.testing.assert_close(got[name], wanted[name])
            assert got[name].any(), name


def test_every_step_has_the_last_value_and_the_mean_gradient():
    model = refined(LearnedUpdate(4, (5,)), 3, through="path")
    update = model.posterior.update
    nn.init.normal_(update.net.layers[-1].bias, std=0.3, generator=torch.Generator().manual_seed(0))
    model.posterior.family = _NarrowGaussian(nn.Identity())  # of no width: the bound has no noise left
    paths = model.posterior.parameters_along(X)[1:]
    bounds = [exact_of(model, at) for at in paths]
    value = every_step(model, X)
    torch.testing.assert_close(value, bounds[-1], rtol=0, atol=1e-6)  # widths of 1e-9, slopes of some 10
    names = list(update.parameters())
    mean = torch.autograd.grad(torch.stack(bounds).mean(0).sum(), names)
    for mine, wanted in zip(torch.autograd.grad(value.sum(), names), mean):
        torch.testing.assert_close(mine, wanted, rtol=1e-5, atol=1e-6)


class _NarrowGaussian(DiagonalGaussian):
    def forward(self, c=None):
        loc, log_scale = self.net(c).chunk(2, -1)
        return td.Independent(td.Normal(loc, 1e-9 * log_scale.sigmoid().detach()), 1)


def exact_of(model, parameters):
    q = model.posterior.family(parameters)
    return exact_bound(LatentVariableModel(model.prior, model.likelihood, lambda c: q), X)


# ------------------------------------------------------------------------------------------------ as a posterior


@pytest.mark.parametrize("through", ["steps", "path", "nothing"])
def test_refines_without_gradients_as_with_them(through):
    """Evaluation runs under no_grad and gets the same q, without a graph; the caller's switch is left as it was."""
    model = refined(through=through)
    with torch.no_grad():
        q = model.qz_x(X)
        assert not torch.is_grad_enabled() and not q.mean.requires_grad
    torch.testing.assert_close(q.mean, model.qz_x(X).mean.detach())


def test_is_evaluated_as_any_model():
    """The refined q is a better proposal than the encoder's, and both estimates of log p(x) agree with the marginal."""
    from vaecourse.exact import linear_gaussian_marginal

    model = refined(num_steps=40)
    truth = linear_gaussian_marginal(model).log_prob(X).detach()
    ess = []
    for num_steps in (0, 40):
        model.posterior.num_steps = num_steps
        torch.manual_seed(0)
        estimate = importance_log_likelihood(model, X, 20_000)
        if num_steps:
            assert ((estimate.log_px - truth).abs() < 5 * estimate.se).all()  # six tests
        ess.append(estimate.ess.mean())
    assert ess[1] > 2 * ess[0]  # chosen


def test_model_is_left_alone():
    model = refined(AdamAscent(0.1), joint=neural_model())
    before = copy.deepcopy(model.state_dict())
    model.qz_x((X > 0).double())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_data_do_not_disturb_each_other():
    far = X.clone()
    far[-1] += 50
    means = [refined().qz_x(x).mean for x in (X, far)]
    torch.testing.assert_close(means[0][:-1], means[1][:-1], rtol=0, atol=1e-12)


# ------------------------------------------------------------------------------------------------ cost


@pytest.mark.parametrize("bound, more", [(pathwise, 5), (svi_from_encoder, 10), (every_step, 15)])
def test_evaluations_are_counted(bound, more):
    """By wrapping the likelihood by hand: T S of the refinement, and S' for each bound that is scored."""
    through = {"svi_from_encoder": "nothing"}.get(bound.__name__, "path")
    model = refined(num_steps=3, joint=neural_model(), num_samples=2, through=through)
    rows, forward = [], model.likelihood.forward
    model.likelihood.forward = lambda z: rows.append(z.shape[:-1].numel()) or forward(z)
    x = (X > 0).double()
    with DecoderEvaluations(model) as cost:
        bound(model, x, 5)
    assert model.posterior.num_evaluations == 6
    assert cost.total == sum(rows) == 6 * (model.posterior.num_evaluations + more)
    assert cost.per_datum(6) == 6 + more
    bound(model, x, 5)
    assert cost.total == 6 * (6 + more)  # closed: counts no more


# ------------------------------------------------------------------------------------------------ bad input


def test_bad_arguments_are_named():
    model = linear_gaussian_model()
    joint = LatentVariableModel(model.prior, model.likelihood)
    encoder = MLP(3, (), 4).double()
    make = partial(Refined, encoder, joint, Ascent(0.1), 2)
    cases = [
        (lambda: Refined(encoder, model, Ascent(0.1), 2), "joint must be a model without posterior"),
        (lambda: Refined(encoder, joint, Ascent(0.1), -1), "num_steps must be a whole number of at least 0, and is -1"),
        (lambda: Refined(encoder, joint, Ascent(0.1), 2.0), "num_steps must be a whole number"),
        (lambda: make(num_samples=0), "num_samples must be at least 1, and is 0"),
        (lambda: make(through="all"), 'through must be "steps", "path" or "nothing"'),
        (lambda: make(estimator=partial(stl, num_samples=1)), 'through="steps" differentiates the slope, and stl'),
        (lambda: Ascent(0.0), "rate must be above 0"),
        (lambda: Ascent(torch.tensor([0.1, -0.1])), "rate must be above 0"),
        (lambda: Ascent(torch.ones(1, 1, 1)), "rate must be above 0 and finite, a number"),
        (lambda: Ascent(0.1, max_norm=0.0), "max_norm must be above 0"),
        (lambda: AdamAscent(float("nan")), "rate must be above 0"),
        (lambda: AdamAscent(0.1, betas=(0.9, 1.0)), "betas must be at least 0 and below 1"),
        (lambda: LearnedUpdate(0), "num_parameters must be at least 1"),
        (lambda: Refined(encoder, joint, LearnedUpdate(6).double(), 1)(X), "num_parameters must be the encoder's"),
        (lambda: make()(X[None]), "x must be [B, D]"),
        (lambda: make().trajectory(X, -2), "num_steps must be"),
        (lambda: svi_from_encoder(model, X), "svi_from_encoder needs a posterior of type Refined"),
        (lambda: svi_from_encoder(refined(), X), 'svi_from_encoder needs a posterior with through = "nothing"'),
        (lambda: svi_from_encoder(refined(through="nothing"), X, aim="x"), 'aim must be "bound" or "refined"'),
        (lambda: svi_from_encoder(refined(num_steps=0, through="nothing"), X), "num_steps of the posterior must be"),
        (lambda: every_step(refined(through="nothing"), X), 'every_step needs a posterior with through = "path" or'),
        (lambda: every_step(another_likelihood(), X), "under the model's own prior and likelihood"),
        (lambda: DecoderEvaluations(model).per_datum(0), "num_data must be at least 1"),
    ]
    for call, message in cases:
        with pytest.raises(ValueError) as error:
            call()
        assert message in str(error.value), str(error.value)


def another_likelihood():
    model = refined(through="path")
    return LatentVariableModel(model.prior, linear_gaussian_model(seed=1).likelihood, model.posterior)
