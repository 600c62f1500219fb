"""Local inference from several starts, and a flow for each datum."""

import copy
import math
import warnings

import pytest
import torch
import torch.distributions as td
from cases import linear_gaussian_model, neural_model, seeded
from torch import nn

from vaecourse.distributions import frozen, log_prob, sample_and_log_prob
from vaecourse.estimators import pathwise, stl
from vaecourse.evaluation import LocalOptimumWarning, gap_ledger, pooled_log_px
from vaecourse.exact import gaussian_bound, linear_gaussian_marginal, quadrature
from vaecourse.flows import Coupling, Flow, Permutation, iaf, real_nvp
from vaecourse.inference import (
    PerDatumBijector,
    Search,
    diagonal,
    flow_family,
    look,
    moments,
    optimise_posteriors,
    sampled_bound,
    search_posteriors,
)
from vaecourse.likelihoods import Gaussian
from vaecourse.model import LatentVariableModel
from vaecourse.networks import MLP
from vaecourse.posteriors import DiagonalGaussian
from vaecourse.priors import StandardNormal

F64 = torch.float64
CPU = torch.device("cpu")


class Bent(nn.Module):
    """x = z^2 + 0.3 z: two z explain every x, of which the prior prefers the one nearer to 0."""

    def forward(self, z):
        return z.square() + 0.3 * z


class AtWrongMode(nn.Module):
    """An encoder that sits at the negative root, the worse one, with scale 0.1."""

    def forward(self, x):
        root = -0.15 - (0.0225 + x).sqrt()
        return torch.cat([root, torch.full_like(x, 0.1).log()], -1)


def two_modes() -> LatentVariableModel:
    return LatentVariableModel(StandardNormal(1), Gaussian(Bent(), 0.2), DiagonalGaussian(AtWrongMode())).double()


X = torch.linspace(1.5, 3.0, 6, dtype=F64)[:, None]
LOW = torch.cartesian_prod(*[torch.tensor([0.0, 1.0], dtype=F64)] * 3)


def bent(bijectors, seed=2):
    """Bijectors that are no identity."""
    with torch.random.fork_rng([], device_type="cpu"):
        torch.manual_seed(seed)
        for parameter in nn.ModuleList(bijectors).parameters():
            nn.init.normal_(parameter, std=0.3)
    return [bijector.double() for bijector in bijectors]


# ------------------------------------------------------------------------------------------------ restarts


def test_a_restart_finds_the_better_mode_and_a_single_climb_does_not():
    """The bounds of both modes by quadrature; from the encoder alone the gap is that of the worse one, with no word."""
    model = two_modes()
    log_px = quadrature(model, X).log_px
    root = (0.0225 + X).sqrt()
    ends = {}
    for side in (-1, 1):
        start = td.Independent(td.Normal(-0.15 + side * root, 0.1), 1)
        ends[side] = gaussian_bound(model, X, optimise_posteriors(model, X, start=start, num_steps=300).q)
    assert ((ends[1] - ends[-1]) > 0.2).all()
    with warnings.catch_warnings():
        warnings.simplefilter("error", LocalOptimumWarning)
        alone = gap_ledger(model, X, log_px, num_samples=2000, num_steps=300)
        looked = gap_ledger(model, X, log_px, num_samples=2000, num_steps=300, restarts=6)
    for ledger, truth in ((alone, ends[-1]), (looked, ends[1])):
        error = (ledger.bounds["best diagonal q"] - truth).abs()
        assert (error < 5 * ledger.noise["best diagonal q"] + 1e-3).all()
    assert not alone.searches["best diagonal q"].suspects.any()
    assert not looked.searches["best diagonal q"].suspects.any()  # looks agree, if not with the encoder
    assert (looked.approximation_gap < alone.approximation_gap).all()


def test_one_start_alone_at_the_best_end_is_suspected():
    """One restart against the encoder's start at the worse mode: where it comes to the better one, it is alone."""
    model = two_modes()
    log_px = quadrature(model, X).log_px
    with pytest.warns(LocalOptimumWarning) as caught:
        ledger = gap_ledger(model, X, log_px, num_samples=500, num_steps=300, restarts=1)
    search = ledger.searches["best diagonal q"]
    assert len(search.candidates) == 3 and search.num_ends == 2  # the kept start is no end
    alone = search.candidates[2].mean[:, 0] > 0
    assert alone.any() and torch.equal(search.suspects, alone)
    words = f"best diagonal q: a local optimum is suspected on {int(alone.sum())} of 6 data"
    assert words in str(caught[0].message) and words in repr(ledger)
    with warnings.catch_warnings():  # one posterior mode: starts agree, and nothing is said
        warnings.simplefilter("error", LocalOptimumWarning)
        linear = linear_gaussian_model()
        linear.posterior = seeded(lambda: DiagonalGaussian(MLP(3, (), 4)))
        x = torch.randn(5, 3, dtype=F64, generator=torch.Generator().manual_seed(0))
        log_px = linear_gaussian_marginal(linear).log_prob(x).detach()
        ledger = gap_ledger(linear, x, log_px, num_samples=50, num_steps=500, restarts=2)
    assert "suspected" not in repr(ledger)


def test_search_arithmetic_by_hand():
    """The kept start counts for the best, but is no end whose agreement could say anything."""
    normal = lambda loc: td.Independent(td.Normal(torch.tensor(loc)[:, None], 1.0), 1)  # noqa: E731
    candidates = [normal([0.0, 0.0, 0.0]), normal([1.0, 1.0, 1.0]), normal([2.0, 2.0, 2.0])]
    search = Search(candidates, torch.tensor([[-1.0, -5.0, 0.0], [-2.0, -1.0, -1.0], [-2.05, -3.0, -1.0]]), num_ends=2)
    assert search.choice.tolist() == [0, 1, 0]
    torch.testing.assert_close(search.shortfall, torch.tensor([0.05, 2.0, 0.0]))
    assert search.suspects.tolist() == [False, True, False]
    assert search.gaussian().mean.squeeze(1).tolist() == [0.0, 1.0, 0.0]
    assert search.pick([torch.arange(3.0) + 10 * k for k in range(3)]).tolist() == [0.0, 11.0, 2.0]
    alone = Search(candidates[:1], torch.zeros(1, 3), 1)
    assert not alone.suspects.any() and alone.gaussian() is candidates[0]
    correlated = td.MultivariateNormal(torch.zeros(3, 2), scale_tril=torch.eye(2).expand(3, 2, 2))
    assert isinstance(Search([correlated] * 2, torch.zeros(2, 3), 2).gaussian(), td.MultivariateNormal)


def test_kept_starts_are_never_lost():
    """Steps of a length that throws the climbs far away: the start remains the best."""
    model = neural_model(num_latents=2)
    start = optimise_posteriors(model, LOW, num_steps=300).q
    wild = dict(starts=[start], num_steps=1, learning_rate=50.0, seed=4)
    kept = search_posteriors(model, LOW, keep=1, **wild)
    assert (kept.choice == 0).all() and kept.num_ends == 1
    torch.testing.assert_close(kept.gaussian().mean, start.mean)
    lost = search_posteriors(model, LOW, **wild)
    assert (lost.gaussian().mean - start.mean).abs().min() > 1
    with pytest.raises(ValueError, match="starts must hold one distribution at least"):
        search_posteriors(model, LOW, starts=[])


def test_candidates_are_judged_by_noise_that_none_was_fitted_to():
    """And each climb has its own: one seed per climb with gradients, one for all judgements without."""
    model, seeds = neural_model(num_latents=2), {True: [], False: []}
    with torch.no_grad():
        start = model.posterior(LOW)
    model.likelihood.register_forward_pre_hook(lambda *_: seeds[torch.is_grad_enabled()].append(torch.initial_seed()))
    search_posteriors(model, LOW, starts=[start, start], num_steps=2, num_scored=4, seed=5)
    assert len(set(seeds[True])) == 2 and len(set(seeds[False])) == 1
    assert not set(seeds[True]) & set(seeds[False])


def test_look_takes_the_best_draw_of_the_prior():
    model = two_modes()
    state = torch.get_rng_state()
    q = look(model, X, num_points=500, scale=0.3, seed=1)
    assert torch.equal(torch.get_rng_state(), state)
    with torch.random.fork_rng([]):
        torch.manual_seed(1)
        z = model.prior().sample((500,)).double()
    joint = model.log_joint(X, z[:, None])
    assert torch.equal(model.log_joint(X, q.mean[None])[0], joint.amax(0))
    assert (q.stddev == 0.3).all() and q.batch_shape == (6,) and q.mean.dtype == F64
    assert not torch.equal(look(model, X, seed=2).mean, look(model, X, seed=3).mean)


# ------------------------------------------------------------------------------------------------ a flow per datum


@pytest.mark.parametrize("num_context", [0, 3])
def test_copies_are_the_bijector_itself(num_context):
    """Before any step each datum's copy maps as the one that was copied, both ways, each at its own context."""
    (original,) = bent([Coupling(4, (6,), num_context=num_context)])
    context = torch.randn(5, 3, dtype=F64) if num_context else None
    copies = PerDatumBijector(original, 5, context)
    z = torch.randn(7, 5, 4, dtype=F64)
    for method in ("forward_and_log_det", "inverse_and_log_det"):
        torch.testing.assert_close(getattr(copies, method)(z), getattr(original, method)(z, context))
    torch.testing.assert_close(copies.forward_and_log_det(z[0]), original.forward_and_log_det(z[0], context))
    assert [parameter.shape[0] for parameter in copies.parameters()] == [5] * len(list(original.parameters()))
    with pytest.raises(ValueError, match="a copy for each of 5 data, and a value for 4"):
        copies.forward_and_log_det(z[:, :4])
    with pytest.raises(ValueError, match="context must have 5 rows, one per datum, and has 2"):
        PerDatumBijector(original, 5, torch.zeros(2, 3))


def test_copies_part_ways():
    """The rows of datum 2 changed: only its map changes; and no datum's gradient reaches another's rows."""
    (original,) = bent([Coupling(4, (6,))])
    copies, z = PerDatumBijector(original, 5), torch.randn(7, 5, 4, dtype=F64)
    before = copies.forward_and_log_det(z)[0].detach()
    with torch.no_grad():
        for rows in copies.rows:
            rows[2] += 0.5
    changed = (copies.forward_and_log_det(z)[0] - before).abs().amax((0, 2)) > 1e-9
    assert changed.tolist() == [False, False, True, False, False]
    copies.forward_and_log_det(z)[0][:, 3].sum().backward()
    moved = torch.stack([rows.grad.flatten(1).abs().amax(1) for rows in copies.rows]).amax(0) > 0
    assert moved.tolist() == [False, False, False, True, False]


def test_a_flow_started_at_a_gaussian_is_that_gaussian():
    q = td.Independent(td.Normal(torch.randn(5, 4, dtype=F64), 0.7), 1)
    flow = flow_family(real_nvp(4, (6,), 2))(q)()
    z, log_q = sample_and_log_prob(flow, (3,))
    torch.testing.assert_close(log_q, log_prob(q, z))
    assert all(len(parameter) == 5 for parameter in flow_family(real_nvp(4, (6,), 2))(q).parameters())
    assert flow_family([], name="bent").__name__ == "bent"


def test_a_flow_started_at_the_encoders_flow_is_it():
    """Base, bijectors and context are taken over, whatever bijectors the family was made with; nothing is shared."""
    stack = bent(iaf(2, (4,), 2, num_context=3))
    posterior = seeded(lambda: Flow(DiagonalGaussian(MLP(3, (), 4)), *stack))
    q = posterior(torch.randn(6, 3, dtype=F64))
    local = flow_family(real_nvp(2, (5,), 1))(q)
    with torch.random.fork_rng([]):  # samples and their density under one noise
        torch.manual_seed(0)
        z, log_q = sample_and_log_prob(q, (4,))
        torch.manual_seed(0)
        torch.testing.assert_close(sample_and_log_prob(local(), (4,)), (z, log_q))
    torch.testing.assert_close(log_prob(local(), z), log_prob(q, z), rtol=1e-6, atol=1e-6)
    before = copy.deepcopy(posterior.state_dict())
    with torch.no_grad():
        for parameter in local.parameters():
            parameter += 1
    torch.testing.assert_close(posterior.state_dict(), before)


@pytest.mark.parametrize("estimator", [stl, pathwise])
def test_a_flow_learns_the_correlation_that_a_diagonal_gaussian_lacks(estimator):
    """Two latents, a Gaussian posterior with correlation 0.7: one shift by a multiple of z_1 makes it exact."""
    linear = linear_gaussian_model(seed=7)
    x = torch.randn(4, 3, dtype=F64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        exact, log_px = linear.posterior(x), linear_gaussian_marginal(linear).log_prob(x)
    start = optimise_posteriors(linear, x, start=exact, num_steps=400).q
    torch.manual_seed(0)
    family = flow_family(real_nvp(2, (8,), 2))
    fit = optimise_posteriors(linear, x, family, start=start, estimator=estimator, num_steps=300, learning_rate=0.02)
    gaussian, flow = (log_px - sampled_bound(linear, x, q, 2000, 0)[0] for q in (start, fit.q))
    assert (gaussian > 0.3).all() and (flow < 0.03).all()  # 0.34 in closed form; chosen: a tenth


def test_moments_of_a_flow():
    """Those of a shift: the base's mean moved, the base's variance; 4 standard errors of 4000 samples."""
    base = DiagonalGaussian(nn.Identity())
    c = torch.tensor([[1.0, -2.0, 0.5, 0.1], [0.0, 3.0, -0.3, 0.2]], dtype=F64).repeat(1, 1)
    q = Flow(base, Permutation(2))(c)
    found = moments(q, CPU, 4000)
    truth = c[:, :2].flip(-1)
    scale = c[:, 2:].exp().flip(-1)
    assert ((found.mean - truth).abs() < 4 * scale / 4000**0.5).all()
    assert ((found.stddev / scale - 1).abs() < 4 / (2 * 4000) ** 0.5).all()
    assert frozen(found).batch_shape == (2,)


# ------------------------------------------------------------------------------------------------ in the ledger


def test_the_ledger_of_a_flow_encoder():
    """The poorer family stands beside the chain; own starts also at the encoder's q, and is below neither start."""
    model = linear_gaussian_model(seed=7)
    x = torch.randn(6, 3, dtype=F64, generator=torch.Generator().manual_seed(0))
    log_px = linear_gaussian_marginal(model).log_prob(x).detach()
    model.posterior = seeded(lambda: Flow(DiagonalGaussian(MLP(3, (4,), 4)), *bent(real_nvp(2, (4,), 2))))
    torch.manual_seed(0)
    families = ("diagonal", flow_family(real_nvp(2, (4,), 2)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LocalOptimumWarning)
        ledger = gap_ledger(
            model, x, log_px, families, own="flow", num_samples=2000, num_steps=150, restarts=1, estimator=pathwise
        )
    assert list(ledger.bounds) == ["best flow q", "encoder"] and list(ledger.beside) == ["best diagonal q"]
    assert len(ledger.searches["best flow q"].candidates) == 5  # two kept starts and three ends
    poorer = ledger.beside["best diagonal q"]
    best, noise = ledger.bounds["best flow q"], ledger.noise["best flow q"]
    assert (best > poorer.bound - 4 * (noise + poorer.noise)).all()
    assert (best > ledger.bounds["encoder"] - 4 * (noise + ledger.noise["encoder"])).all()
    assert ledger.approximation_gap.mean() < (log_px - poorer.bound).mean() / 2  # 0.34 in closed form; chosen: half
    assert ledger.costs["best flow q"].decoder_evaluations == 3 * 150 * 8
    assert ledger.costs["encoder"].decoder_evaluations == 0


def test_bad_arguments():
    model = neural_model()
    few = dict(num_samples=2, num_steps=1)
    with pytest.raises(ValueError, match="own must be the name of a family, one of diagonal, full, and is 'flow'"):
        gap_ledger(model, LOW, torch.zeros(8), ("diagonal", "full"), own="flow", **few)
    with pytest.raises(ValueError, match="restarts must be at least 0, and is -1"):
        gap_ledger(model, LOW, torch.zeros(8), restarts=-1, **few)
    with pytest.raises(ValueError, match="num_samples must be at least 2, and is 1"):
        sampled_bound(model, LOW, diagonal(model.posterior(LOW))(), 1, 0)


def test_pooled_evidence():
    """Of two proposals, one of which misses everything: half the right weight is there, and log 2 is what it costs."""
    model = linear_gaussian_model(seed=7)
    x = torch.randn(4, 3, dtype=F64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        exact, log_px = model.posterior(x), linear_gaussian_marginal(model).log_prob(x)
    far = td.Independent(td.Normal(torch.full((4, 2), 60.0, dtype=F64), 0.1), 1)
    torch.testing.assert_close(pooled_log_px(model, x, [exact], 5), log_px)
    torch.testing.assert_close(pooled_log_px(model, x, [exact, far], 5), log_px - math.log(2))
    model.chunk_size = 12  # three rows of four data at once: three parts, of three, three and one sample
    torch.testing.assert_close(pooled_log_px(model, x, [exact, exact], 7), log_px)
    with pytest.raises(ValueError, match="proposals must hold one distribution at least, and is empty"):
        pooled_log_px(model, x, [])
    model.posterior = diagonal(exact)
    ledger = gap_ledger(model, x, num_samples=4000, num_steps=50)
    assert ((ledger.log_px - log_px).abs() < 0.1).all()
