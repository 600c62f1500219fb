"""The model and the draw: shapes, what each log-density is, and draws from another q."""

import pytest
import torch
import torch.distributions as td
from cases import linear_gaussian_model, neural_model, two_state, z_scores

from vaecourse.exact import linear_gaussian_marginal
from vaecourse.model import LatentVariableModel


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
