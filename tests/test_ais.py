"""Annealed importance sampling: unbiased for p(x) whatever the kernels, exact in its limits, and how it runs."""

import inspect
import math

import pytest
import torch
from cases import linear_gaussian_model, neural_model, two_state, unadjusted, z_scores
from methods import METHODS
from torch import nn

from vaecourse import mcmc
from vaecourse.evaluation import adapt_path, ais
from vaecourse.evaluation.adaptation import CHAINS
from vaecourse.evaluation.ais import Run
from vaecourse.evaluation.annealing import temperatures
from vaecourse.evaluation.estimate import from_log_weights
from vaecourse.exact import linear_gaussian_marginal, quadrature
from vaecourse.flows import Bijector, Flow
from vaecourse.posteriors import DiagonalGaussian, Scaled
from vaecourse.priors import StandardNormal, VampPrior
from vaecourse.randomness import key, seeded

F64 = torch.float64


def model_and_data(num_data):
    """The linear-Gaussian model with a q of the right mean and other scales, one datum many times, and its log p(x)."""
    model = linear_gaussian_model()
    x = torch.tensor([[1.0, -0.5, 0.3]], dtype=F64)
    log_px = linear_gaussian_marginal(model).log_prob(x).detach()
    model.posterior = Scaled(model.posterior, 1.5)
    return model, x.expand(num_data, -1), log_px


KERNELS = {
    "hmc": None,
    "mala": mcmc.mala,
    "random walk": mcmc.random_walk_metropolis,
}


# ------------------------------------------------------------------------------------------------ its law


@pytest.mark.parametrize(("chunk_size", "step_size"), [(7, 1.2), (100_000, 0.4)])
@pytest.mark.parametrize("start", ["prior", "posterior"])
@pytest.mark.parametrize("kernel", KERNELS)
def test_unbiased_whatever_the_kernel(kernel, start, chunk_size, step_size):
    """E p^(x) = p(x): one z-score, above 5 with probability 6e-7; at 1.2 most steps are rejected, at 0.4 most move."""
    num_data = 60 if chunk_size == 7 else 4000
    model, x, log_px = model_and_data(num_data)
    estimate = ais(
        model,
        x,
        num_steps=6,
        num_chains=4,
        start=start,
        num_leapfrog=3,
        make_kernel=KERNELS[kernel],
        step_sizes=step_size,
        chunk_size=chunk_size,
    )
    ratio = (estimate.log_px - log_px).exp()
    assert z_scores(ratio, torch.ones(())).abs() < 5
    assert num_data < 4000 or ratio.std() / math.sqrt(num_data) < 0.02  # the test would see a bias of a tenth


def test_the_test_of_bias_can_fail():
    """A kernel that accepts whatever is proposed keeps another density, and the mean weight is another number."""

    model, x, log_px = model_and_data(4000)
    estimate = ais(model, x, 6, 4, make_kernel=unadjusted(mcmc.mala), step_sizes=1.0)
    assert z_scores((estimate.log_px - log_px).exp(), torch.ones(())).abs() > 5


@pytest.mark.parametrize("start", ["prior", "posterior"])
def test_error_shrinks_with_the_steps(start):
    """The mean gap of one chain is about half the variance of log w, and falls as 1/T once steps are small."""
    model, x, log_px = model_and_data(2000)
    gaps = {}
    for num_steps in (1, 4, 16, 64):
        sizes = adapt_path(model, x[:1], num_steps, start=start, num_leapfrog=5).step_sizes
        gaps[num_steps] = log_px - ais(model, x, num_steps, 1, start=start, num_leapfrog=5, step_sizes=sizes).log_px
    for few, many, factor in ((1, 4, 1), (4, 16, 1), (16, 64, 1), (1, 64, 8), (4, 64, 4)):
        fall = gaps[few] - factor * gaps[many]
        assert fall.mean() > 3 * fall.std() / math.sqrt(2000), (few, many)


def test_from_a_poor_q_to_the_evidence():
    """A neural decoder, an encoder that knows nothing, log p(x) by quadrature: within five of its standard errors."""
    model = neural_model()
    x = torch.cartesian_prod(*[torch.tensor([0.0, 1.0], dtype=F64)] * 3)
    truth = quadrature(model, x).log_px
    for start in ("prior", "posterior"):
        estimate = ais(model, x, 20, 500, start=start, num_leapfrog=3)
        assert ((estimate.log_px - truth).abs() < 5 * estimate.se).all() and (estimate.se < 0.05).all()
        assert estimate.khat.isfinite().all()


def no_kernel(log_density, step_size):
    raise AssertionError("a kernel was made")


@pytest.mark.parametrize("start", ["prior", "posterior", "conditional"])
def test_one_step_is_importance_sampling(start):
    """The same samples, the same weights, and no kernel."""
    model = neural_model()
    x = torch.cartesian_prod(*[torch.tensor([0.0, 1.0], dtype=F64)] * 3)
    wider = Scaled(model.posterior, 2.0)
    q0 = {"prior": model.prior, "posterior": model.posterior, "conditional": wider}[start](x)
    estimate = ais(model, x, 1, 50, start=wider if start == "conditional" else start, make_kernel=no_kernel, seed=3)
    with seeded(key(3, "forward"), x.device), torch.no_grad():
        expected = from_log_weights(model.draw(x, 50, q=q0).log_w, 50)
    for ours, theirs in zip(estimate, expected):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


def test_discrete_latents_need_no_kernel_for_one_step():
    estimate = ais(two_state(), torch.ones(2000, 1, dtype=F64), 1, 2)
    assert z_scores(estimate.log_px.exp(), torch.tensor(0.4, dtype=F64)).abs() < 4


# ------------------------------------------------------------------------------------------------ step sizes


def test_step_sizes_reach_their_target():
    """One for each temperature and datum, shorter where the posterior is narrower than the prior."""
    model = linear_gaussian_model(20, 5, scale=0.3)
    x = 3 * torch.randn(6, 20, dtype=F64, generator=torch.Generator().manual_seed(0))
    for target in (0.65, 0.9):
        found = adapt_path(model, x, 30, target_acceptance=target, num_leapfrog=5)
        assert found.step_sizes.shape == found.acceptance.shape == (29, 6)
        assert (found.step_sizes[-1] < found.step_sizes[0] / 2).all()
        assert abs(found.acceptance.mean() - target) < 0.03
        sizes = found.step_sizes
        kernel = mcmc.hmc(lambda z: model.log_joint(x, z), sizes[-1], 5)
        torch.manual_seed(0)
        run = mcmc.sample(kernel, model.posterior(x).sample((200,)), 10)
        assert abs(run.info.acceptance.mean() - target) < 0.12  # eight chains chose it


def test_step_sizes_come_from_a_run_of_their_own():
    """Found before or in the call they are the same, and the chains share nothing with those that found them."""
    model, x, _ = model_and_data(3)
    found = adapt_path(model, x, 5, seed=1)
    inside, outside = ais(model, x, 5, seed=1), ais(model, x, 5, seed=1, step_sizes=found.step_sizes)
    assert torch.equal(inside.log_px, outside.log_px)
    assert inside.num_evaluations == outside.num_evaluations + found.num_evaluations
    seen = []

    def spy(log_density, step_size):
        kernel = mcmc.hmc(log_density, step_size, 10)
        return mcmc.Kernel(lambda z: seen.append(z.clone()) or kernel.init(z), kernel.step)

    adapt_path(model, x, 2, make_kernel=spy, seed=1)
    ais(model, x, 2, num_chains=CHAINS, make_kernel=spy, step_sizes=0.1, seed=1)
    first, second = seen
    assert first.shape == second.shape and not (first == second).any()


def test_schedules():
    betas = temperatures("sigmoid", 10)
    curve = torch.sigmoid(torch.linspace(-4, 4, 11, dtype=F64))
    torch.testing.assert_close(betas, (curve - curve[0]) / (curve[-1] - curve[0]), rtol=0, atol=1e-15)
    assert betas[0] == 0 and betas[-1] == 1
    torch.testing.assert_close(temperatures("linear", 4), torch.tensor([0, 0.25, 0.5, 0.75, 1], dtype=F64))
    own = torch.tensor([0.0, 0.1, 1.0])
    assert temperatures(own, 100).tolist() == own.double().tolist()
    assert temperatures("sigmoid", 1).tolist() == [0, 1]


def test_own_schedule():
    model, x, _ = model_and_data(2)
    linear = ais(model, x, 4, schedule="linear")
    own = ais(model, x, schedule=torch.linspace(0, 1, 5, dtype=F64))
    assert torch.equal(linear.log_px, own.log_px) and linear.num_evaluations == own.num_evaluations


# ------------------------------------------------------------------------------------------------ how it runs


@pytest.mark.parametrize("chunk_size", [3, 20, 10_000])
@pytest.mark.parametrize(("start", "num_steps"), [("prior", 1), ("prior", 4), ("posterior", 3)])
def test_chunks_bound_memory_and_evaluations_are_counted(chunk_size, start, num_steps):
    model = neural_model()
    x = torch.ones(5, 3, dtype=F64)
    sizes = []
    model.likelihood.register_forward_pre_hook(lambda module, args: sizes.append(args[0].shape[:-1].numel()))
    options = dict(start=start, num_leapfrog=2, chunk_size=chunk_size)
    for step_sizes in (0.3, None):
        sizes.clear()
        estimate = ais(model, x, num_steps, 7, step_sizes=step_sizes, **options)
        assert max(sizes) <= chunk_size
        num_checks = 2 if step_sizes is None else 1  # of the support, one decoding each
        assert sum(sizes) - num_checks == 5 * estimate.num_evaluations
        if step_sizes is not None:
            assert estimate.num_evaluations == 7 * (3 * (num_steps - 1) + 1)


def test_nothing_leaks():
    """No gradient, no change of a parameter or of the caller's random numbers, be parameters trained or not."""
    model, x, _ = model_and_data(3)
    weights = list(model.parameters())
    weights[0].requires_grad_(False)
    before = [weight.clone() for weight in weights]
    state = torch.get_rng_state()
    first = ais(model, x, 4, start="posterior")
    assert torch.equal(torch.get_rng_state(), state)
    assert not any(part.requires_grad for part in first[:4])
    assert [weight.requires_grad for weight in weights] == [False] + [True] * (len(weights) - 1)
    assert all(weight.grad is None and torch.equal(weight, old) for weight, old in zip(weights, before))
    torch.rand(3)
    assert torch.equal(ais(model, x, 4, start="posterior").log_px, first.log_px)
    assert not torch.equal(ais(model, x, 4, start="posterior", seed=1).log_px, first.log_px)


def test_single_precision():
    """Weights are summed in float64; each has the rounding of float32, and the law is the same."""
    model, x, log_px = model_and_data(2000)
    estimate = ais(model.float(), x.float(), 6, 4, num_leapfrog=3, step_sizes=0.6)
    assert estimate.log_px.dtype == F64
    assert z_scores((estimate.log_px - log_px).exp(), torch.ones(())).abs() < 5
    assert ais(model, x[:2].float(), 6).log_px.isfinite().all()


def test_khat_needs_chains():
    model, x, _ = model_and_data(2)
    assert ais(model, x, 3, 24, step_sizes=0.5).khat.isnan().all()
    assert ais(model, x, 3, 100, step_sizes=0.5).khat.isfinite().all()


def test_the_prior_is_called_once_a_check(monkeypatch):
    """A VampPrior runs its encoder over all pseudo-inputs in every call."""
    calls = []
    forward = VampPrior.forward
    monkeypatch.setattr(VampPrior, "forward", lambda self, c=None: calls.append(1) or forward(self, c))
    torch.manual_seed(0)
    model = METHODS["VampPrior"]().model
    ais(model, torch.zeros(4, 64), 3, 6, step_sizes=0.1, chunk_size=6)
    assert len(calls) == 1


# ------------------------------------------------------------------------------------------------ refusals


class NoInverse(Bijector):
    def forward_and_log_det(self, z, c=None):
        return 2 * z, z.new_full(z.shape[:-1], z.shape[-1] * math.log(2))


def no_gradient():
    """Neither prior nor likelihood have one: the start and the decoder are constant in z."""
    model = neural_model()
    right = model.log_likelihood
    model.log_likelihood = lambda x, z: right(x, z.detach())

    class Flat(StandardNormal):
        def forward(self, c=None):
            pz = super().forward(c)
            right = pz.log_prob
            pz.log_prob = lambda z: right(z.detach())
            return pz

    model.prior = Flat(1).double()
    return model


def without_density():
    model = neural_model()
    model.posterior = Flow(DiagonalGaussian(nn.Linear(3, 2, dtype=F64)), NoInverse())
    return model


def not_a_number():
    model = neural_model()
    right = model.log_likelihood
    model.log_likelihood = lambda x, z: right(x, z) + torch.where(x[:, 0] == 0, math.nan, 0.0)
    return model


X = torch.tensor([[1.0, 0.0, 1.0], [1.0, 1.0, 1.0], [0.0, 1.0, 0.0]], dtype=F64)


@pytest.mark.parametrize("estimate", [ais, adapt_path])
@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        (neural_model, {"num_steps": 0}, "num_steps must be at least 1, and is 0"),
        (neural_model, {"chunk_size": 0}, "chunk_size must be at least 1, and is 0"),
        (neural_model, {"num_leapfrog": 0}, "num_leapfrog must be at least 1, and is 0"),
        (neural_model, {"target_acceptance": 1.0}, r"target_acceptance must be between 0 and 1, and is 1\.0"),
        (neural_model, {"schedule": "cosine"}, 'schedule must be "sigmoid", "linear" or a tensor, and is \'cosine\''),
        (neural_model, {"schedule": torch.tensor([0.0, 0.7, 0.5, 1.0])}, "schedule must rise from 0 to 1, and is"),
        (neural_model, {"schedule": torch.tensor([0.1, 1.0])}, "schedule must rise from 0 to 1, and is"),
        (neural_model, {"start": "encoder"}, 'start must be "prior", "posterior" or a conditional on x, and is'),
        (two_state, {}, "hmc needs a continuous z, and that of OneHotCategorical is discrete"),
        (no_gradient, {}, "log_density must be differentiable in its argument"),
        (without_density, {"start": "posterior"}, "start must have a density wherever chains may go, and Flow"),
        (not_a_number, {}, "log_w of datum 2 is not a number: look for what"),
        (not_a_number, {"chunk_size": 8}, "log_w of datum 2 is not a number: look for what"),
    ],
)
def test_refusals(estimate, model, options, message):
    x = torch.ones(2, 1, dtype=F64) if model is two_state else X
    with pytest.raises(ValueError, match=message):
        estimate(model(), x, **{"num_steps": 3, **options})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_chains": 0}, "num_chains must be at least 1, and is 0"),
        ({"step_sizes": -1.0}, "step_sizes must be positive, and the least is -1"),
        (
            {"step_sizes": torch.ones(3, 3)},
            r"a number, or \[2, 3\] or \[2, 1\] .*, and have shape \[3, 3\]",
        ),
    ],
)
def test_refusals_of_ais(options, message):
    with pytest.raises(ValueError, match=message):
        ais(neural_model(), X, 3, **options)


def test_defaults_are_the_same_everywhere():
    ours, theirs, runs = (
        {name: p.default for name, p in inspect.signature(function).parameters.items() if p.default is not p.empty}
        for function in (ais, adapt_path, Run)
    )
    del ours["num_chains"]
    assert ours.items() <= runs.items() and theirs.items() <= runs.items()


def test_a_chain_of_a_later_chunk_names_its_datum():
    with pytest.raises(ValueError, match="log_w of datum 2 is not a number"):
        ais(not_a_number(), X, 3, 1, chunk_size=1, step_sizes=0.1)


def test_a_single_step_names_the_datum_as_well():
    with pytest.raises(ValueError, match="log_w of datum 2 is not a number"):
        ais(not_a_number(), X, 1)


def test_data_outside_the_support_are_refused():
    with pytest.raises(ValueError, match=r"Bernoulli on 0 and 1, and has values such as 0\.5"):
        ais(neural_model(), torch.full((2, 3), 0.5, dtype=F64))
