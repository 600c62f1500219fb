"""The model and the draw: shapes, what each log-density is, and draws from another q."""

from functools import partial

import numpy as np
import pytest
import torch
import torch.distributions as td
from cases import in_chunks, linear_gaussian_model, neural_model, two_state, z_scores
from torch import nn

from vaecourse.estimators import analytic_kl, gumbel_softmax, pathwise, rao_blackwellised, score_function, stl, vimco
from vaecourse.evaluation import importance_log_likelihood
from vaecourse.exact import linear_gaussian_marginal, quadrature
from vaecourse.flows import Flow, Permutation
from vaecourse.model import LatentVariableModel
from vaecourse.objectives import iwae
from vaecourse.priors import StandardNormal


def test_draw_holds_the_three_log_densities():
    model, x = neural_model(num_latents=2), torch.ones(4, 3, dtype=torch.float64)
    draw = model.draw(x, num_samples=6)
    assert draw.z.shape == (6, 4, 2)
    for part in draw[1:]:
        assert part.shape == (6, 4)
    torch.testing.assert_close(draw.log_px_z, model.likelihood(draw.z).log_prob(x))
    torch.testing.assert_close(draw.log_pz, model.prior().log_prob(draw.z))
    torch.testing.assert_close(draw.log_qz_x, model.posterior(x).log_prob(draw.z))
    torch.testing.assert_close(draw.log_w, model.log_joint(x, draw.z) - draw.log_qz_x)


def test_draw_is_reparameterised_where_q_can_be():
    model, x = neural_model(), torch.ones(4, 3, dtype=torch.float64)
    assert model.draw(x).z.requires_grad
    assert not two_state().draw(torch.ones(4, 1, dtype=torch.float64)).z.requires_grad


def test_draw_from_another_q():
    model, x = neural_model(), torch.ones(2, 3, dtype=torch.float64)
    q = td.Independent(td.Normal(torch.full((2, 1), 50.0).double(), 0.1), 1)
    draw = model.draw(x, 5, q=q)
    assert (draw.z > 45).all()
    torch.testing.assert_close(draw.log_qz_x, q.log_prob(draw.z))


def test_scoring_the_same_z_gives_the_same_draw():
    model, x = neural_model(), torch.ones(2, 3, dtype=torch.float64)
    draw = model.draw(x, 5)
    for part, again in zip(draw, model.score(x, draw.z, draw.log_qz_x)):
        torch.testing.assert_close(part, again)


def test_samples_follow_the_marginal():
    """Mean and covariance of 20,000 ancestral samples: 3 + 9 z-scores, one above 4.5 has probability 8e-5."""
    model = linear_gaussian_model()
    marginal = linear_gaussian_marginal(model)
    torch.manual_seed(0)
    x = model.sample(20_000)
    assert x.shape == (20_000, 3) and not x.requires_grad
    centred = x - marginal.mean
    assert z_scores(centred, torch.zeros(3).double()).abs().max() < 4.5
    products = centred[:, :, None] * centred[:, None, :]
    assert z_scores(products, marginal.covariance_matrix).abs().max() < 4.5


def test_bad_arguments():
    model = neural_model()
    x = torch.ones(2, 3, dtype=torch.float64)
    with pytest.raises(ValueError, match="num_samples must be at least 1, and is 0"):
        model.draw(x, 0)
    with pytest.raises(ValueError, match="no posterior: pass the distribution"):
        LatentVariableModel(model.prior, model.likelihood).draw(x)


# ------------------------------------------------------------------------------------------------ decoding in chunks

CHUNKS = [1, 2, 3, 4, 5, 9, 20, 100]  # of 5 samples of 4 data: parts of a row, whole rows, several, all


class Counter(nn.Module):
    """A decoder that notes how many pairs it decodes at once."""

    def __init__(self, net):
        super().__init__()
        self.net, self.pairs = net, []

    def forward(self, z):
        self.pairs.append(z.shape[:-1].numel())
        return self.net(z)


def value_and_gradient(model, x, estimate):
    torch.manual_seed(0)
    value = estimate(model, x)
    return value.detach(), torch.autograd.grad(value.sum(), list(model.parameters()))


@pytest.mark.parametrize("chunk_size", CHUNKS)
@pytest.mark.parametrize("estimator", [pathwise, partial(pathwise, objective=iwae), analytic_kl, stl])
def test_chunks_change_nothing_but_the_memory(estimator, chunk_size):
    model = neural_model(num_latents=2)
    x = torch.tensor([[1, 0, 1], [0, 0, 1], [1, 1, 1], [0, 1, 0]], dtype=torch.float64)
    whole = value_and_gradient(model, x, partial(estimator, num_samples=5))
    counter = model.likelihood.net = Counter(model.likelihood.net)
    model.chunk_size = chunk_size
    parts = value_and_gradient(model, x, partial(estimator, num_samples=5))
    assert max(counter.pairs) <= chunk_size
    assert sum(counter.pairs) == (20 if chunk_size >= 20 else 40)  # every chunk once on each way
    torch.testing.assert_close(parts, whole, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("chunk_size", CHUNKS)
def test_chunks_without_a_gradient(chunk_size):
    model = neural_model()
    counter = model.likelihood.net = Counter(model.likelihood.net)
    x = torch.ones(4, 3, dtype=torch.float64)
    model.chunk_size = chunk_size
    with torch.no_grad():
        draw = model.draw(x, 5)
    assert sum(counter.pairs) == 20
    torch.testing.assert_close(draw.log_px_z, model.likelihood(draw.z).log_prob(x))


def test_chunks_of_a_random_decoder_repeat_their_noise():
    """Activations computed again under other dropout masks would give a gradient of another function."""
    model = neural_model()
    model.likelihood.net = nn.Sequential(model.likelihood.net, nn.Dropout(0.5))
    torch.manual_seed(0)
    masks = []
    model.likelihood.net[1].register_forward_hook(lambda module, given, out: masks.append(out.detach() == 0))
    model.chunk_size = 8
    model.log_likelihood(torch.ones(4, 3).double(), torch.ones(4, 4, 1).double()).sum().backward()
    assert len(masks) == 4 and not torch.equal(masks[0], masks[1])  # chunks go back in the opposite order
    assert torch.equal(masks[0], masks[3]) and torch.equal(masks[1], masks[2])


def test_chunk_size_is_checked():
    with pytest.raises(ValueError, match="chunk_size must be at least 1, or None, and is 0"):
        in_chunks(neural_model(), 0).draw(torch.ones(2, 3, dtype=torch.float64))


def test_num_samples_is_a_whole_number():
    """Labels in the third place of an estimator are not taken for a number of samples, even where there is one."""
    model, x = neural_model(), torch.ones(1, 3, dtype=torch.float64)
    for wrong in (2.0, "2", None, True, torch.tensor(2), torch.tensor([2]), torch.ones(1, 10)):
        for estimator in (pathwise, analytic_kl, score_function, vimco):
            with pytest.raises(ValueError, match="num_samples must be a whole number, and is"):
                estimator(model, x, wrong)
    assert pathwise(model, x, np.int64(2)).shape == (1,)


def test_a_q_that_is_not_one_per_datum_is_refused():
    """With as many samples as data, one distribution for all would give numbers, each of another pair."""
    model = neural_model()
    x = torch.ones(4, 3, dtype=torch.float64)
    for q in (model.prior(), model.posterior(x[:3]), model.posterior(x[None])):
        with pytest.raises(ValueError, match=r"q\(z\|x\) must have batch shape \[4\], one distribution per datum"):
            model.draw(x, 4, q=q)
    with pytest.raises(ValueError, match=r"must have batch shape \[3\], one distribution per datum of x \[3\]"):
        pathwise(model, x[0])


def test_the_prior_may_stand_for_the_posterior():
    """Importance sampling from the prior: within 5 standard errors of quadrature; 0.08 is that of 4000 weights."""
    model = neural_model()
    x = torch.tensor([[0.0, 1.0, 1.0], [1.0, 0.0, 0.0]], dtype=torch.float64)
    for posterior in (StandardNormal(1), Flow(StandardNormal(1), Permutation(1))):
        model.posterior = posterior.double()
        torch.manual_seed(0)
        estimate = importance_log_likelihood(model, x, 4000)
        assert ((estimate.log_px - quadrature(model, x).log_px).abs() < 5 / estimate.ess.sqrt()).all()


def test_a_model_without_posterior_says_so():
    model, x = neural_model(), torch.ones(2, 3, dtype=torch.float64)
    model.posterior = None
    for estimator in (pathwise, analytic_kl, score_function, rao_blackwellised, gumbel_softmax):
        with pytest.raises(ValueError, match="this model has no posterior: pass the distribution to draw from as q"):
            estimator(model, x, 2)
