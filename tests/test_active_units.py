"""Active units: variances in closed form, the rate beside them, memory, and what is refused."""

import pytest
import torch
from cases import belief_net, linear_gaussian_model, neural_model
from methods import Implicit
from test_linear_vae import data_with_covariance, random_covariance
from torch import nn

from vaecourse.evaluation import active_units
from vaecourse.exact import linear_hierarchy, linear_vae
from vaecourse.networks import MLP
from vaecourse.posteriors import FullCovarianceGaussian

F64 = torch.float64


def test_at_the_linear_optimum_both_measures_are_known():
    """Variance 1 - theta / lambda and rate log(lambda / theta) / 2: active is who stands above the water by 1 %."""
    covariance = random_covariance(6)
    for beta in (0.05, 0.4, 1.5):
        best = linear_vae(covariance, 6, beta, 0.7)
        units = active_units(best.model(), data_with_covariance(covariance, 200))
        expected = torch.where(best.active, 1 - best.water_level / best.eigenvalues, 0.0)
        torch.testing.assert_close(units.variance, expected * 200 / 199, rtol=0, atol=1e-10)  # unbiased
        torch.testing.assert_close(units.rate, best.rates, rtol=0, atol=1e-10)
        torch.testing.assert_close(units.rate, -0.5 * (1 - expected).log(), rtol=0, atol=1e-10)
        assert units.number == int((expected * 200 / 199 > 0.01).sum()) == units.active.sum()
        assert torch.equal(units.active, units.variance > 0.01)


def test_the_threshold_is_a_line():
    units = [active_units(neural_model(3), torch.eye(3, dtype=F64), threshold) for threshold in (0.0, 0.01, 100.0)]
    assert [u.number for u in units] == [3, int((units[0].variance > 0.01).sum()), 0]


def test_batches_bound_what_is_encoded_at_once_and_change_nothing():
    model = neural_model(2)
    x = torch.randint(0, 2, (23, 3), generator=torch.Generator().manual_seed(0)).double()
    whole, sizes = active_units(model, x), []
    model.posterior.register_forward_pre_hook(lambda module, args: sizes.append(len(args[0])))
    for batch_size in (1, 5, 23):
        sizes.clear()
        parts = active_units(model, x, batch_size=batch_size)
        assert max(sizes) == batch_size and sum(sizes) == 23
        torch.testing.assert_close(parts, whole, rtol=0, atol=1e-14)


def test_any_q_with_a_mean_and_a_rate_where_there_is_one():
    model, x = linear_gaussian_model(), torch.randn(50, 3, dtype=F64, generator=torch.Generator().manual_seed(0))
    correlated = active_units(model, x)  # the exact posterior
    torch.testing.assert_close(correlated.variance, model.posterior(x).mean.var(0).detach())
    assert correlated.rate.isnan().all() and correlated.active.all()
    net, bits = belief_net(), torch.randint(0, 2, (50, 4), generator=torch.Generator().manual_seed(0)).double()
    q, p = net.posterior(bits).base_dist.probs, net.prior().base_dist.probs
    kl = q * (q / p).log() + (1 - q) * ((1 - q) / (1 - p)).log()
    binary = active_units(net, bits)
    torch.testing.assert_close(binary.rate, kl.mean(0).detach())
    torch.testing.assert_close(binary.variance, q.var(0).detach())
    single = active_units(net.float(), bits.float())
    assert single.variance.dtype == single.rate.dtype == F64


def test_weights_that_are_no_numbers_are_named():
    model, x = neural_model(), torch.ones(4, 3, dtype=F64)
    with torch.no_grad():
        model.posterior.net.layers[0].weight[0, 0] = torch.nan
    message = (
        r"q\(z\|x\) has parameters that are not a number, because the weights posterior.net.layers.0.weight are not all"
    )
    with pytest.raises(ValueError, match=message):
        active_units(model, x)
    model = neural_model()
    with torch.no_grad():
        model.posterior.net.layers[-1].bias[1] = torch.nan  # of the log-scale: the means are finite
    with pytest.raises(ValueError, match=r"q\(z\|x\) has parameters that are not a number, because"):
        active_units(model, x)
    model = neural_model()
    model.posterior.net = nn.Sequential(model.posterior.net, Inverse())
    with pytest.raises(ValueError, match="is inf at datum 2, although all weights are finite"):
        active_units(model, x)


class Inverse(nn.Module):
    """A layer that breaks at the third datum."""

    def forward(self, outputs):
        return outputs.abs() / torch.tensor([1.0, 1.0, 0.0, 1.0], dtype=F64)[:, None]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threshold": -1.0}, "threshold must be at least 0, and is -1.0"),
        ({"batch_size": 0}, "batch_size must be at least 1, and is 0"),
        ({"x": torch.ones(1, 3, dtype=F64)}, r"x must hold at least two data, or nothing varies; got \[1, 3\]"),
        ({"x": torch.full((4, 3), 0.5, dtype=F64)}, r"Bernoulli on 0 and 1, and has values such as 0\.5"),
    ],
)
def test_bad_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        active_units(neural_model(), **{"x": torch.ones(4, 3, dtype=F64), **options})


def test_a_q_without_a_mean_is_refused_by_name():
    model = neural_model(num_latents=4)
    model.posterior = Implicit(MLP(3 + 8, (4,), 4).double())
    with pytest.raises(ValueError, match=r"active_units needs a q\(z\|x\) with a mean, and Pushed has none"):
        active_units(model, torch.ones(4, 3, dtype=F64))


def test_a_full_gaussian_has_no_rate_per_latent_and_the_callers_noise_is_left_alone():
    model = neural_model(num_latents=2)
    model.posterior = FullCovarianceGaussian(nn.Linear(3, 5), 2).double()
    before = torch.get_rng_state()
    units = active_units(model, torch.eye(3, dtype=F64))
    assert units.rate.isnan().all() and units.variance.isfinite().all()
    assert torch.equal(torch.get_rng_state(), before)


def test_of_layers_the_mean_is_sampled_without_bias():
    """Var_x E[z_l] of both layers in closed form, from two samples a datum; one half alone would add the noise."""
    g = torch.Generator().manual_seed(0)
    above, weight = torch.randn(2, 1, generator=g, dtype=F64), torch.randn(4, 2, generator=g, dtype=F64)
    exact = linear_hierarchy(above, weight, scale_above=0.5)
    x = torch.randn(3000, 4, generator=g, dtype=F64)
    expected = exact.posterior(x).loc.var(0)
    torch.manual_seed(0)
    model = exact.model("top-down")
    runs = torch.stack([active_units(model, x, num_samples=2).variance for _ in range(40)])
    assert ((runs.mean(0) - expected).abs() < 5 * runs.std(0) / 40**0.5).all()
    noise = exact.covariance.diagonal()  # of a single sample
    assert (noise > 20 * runs.std(0) / 40**0.5).all()


def test_without_a_mean_the_number_of_samples_is_asked_for():
    exact = linear_hierarchy(torch.ones(1, 1), torch.ones(1, 1))
    with pytest.raises(ValueError, match="with a mean, and ChainDistribution has none: num_samples estimates it"):
        active_units(exact.model(), torch.ones(4, 1, dtype=F64))
    for wrong in (0, 3):
        with pytest.raises(
            ValueError, match=f"num_samples must be an even number, at least 2, or None, and is {wrong}"
        ):
            active_units(exact.model(), torch.ones(4, 1, dtype=F64), num_samples=wrong)
