"""Implicit posteriors: the classifier's logit against the exact ratio, and who learns from what."""

import pytest
import torch
import torch.distributions as td
from cases import linear_gaussian_model, neural_model, seeded, z_scores
from torch import nn

from vaecourse.inference import ImplicitPosterior, JointContrastive, PriorContrastive
from vaecourse.model import LatentVariableModel
from vaecourse.networks import MLP, Joined

F64 = torch.float64
X = torch.randn(4, 3, dtype=F64, generator=torch.Generator().manual_seed(1))


class Affine(nn.Module):
    """z = mean(x) + root noise: an implicit q that happens to have a density."""

    def __init__(self):
        super().__init__()
        self.mean = nn.Linear(3, 2)
        self.root = nn.Parameter(torch.tensor([[0.7, 0.0], [0.3, 0.5]]))

    def forward(self, x, noise):
        return self.mean(x) + noise @ self.root.T

    def density(self, x):
        return td.MultivariateNormal(self.mean(x), scale_tril=self.root)


class ExactRatio(nn.Module):
    """The logit of the best classifier, for the affine q against N(0, I)."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x, z):
        prior = td.Independent(td.Normal(torch.zeros_like(z), 1.0), 1)
        return (self.net.density(x).log_prob(z) - prior.log_prob(z))[..., None]


def model_with(net):
    model = linear_gaussian_model()
    return LatentVariableModel(model.prior, model.likelihood, ImplicitPosterior(net, 2, 2))


def test_samples_are_the_networks():
    net = seeded(Affine)
    q = ImplicitPosterior(net, 2, 2)(X)
    torch.manual_seed(0)
    z = q.sample((20_000,))
    exact = net.density(X)
    assert z.shape == (20_000, 4, 2) and not z.requires_grad
    assert z_scores(z, exact.mean.detach()).abs().max() < 4
    products = (z - exact.mean.detach()).prod(-1)
    assert z_scores(products, exact.covariance_matrix[..., 0, 1].detach()).abs().max() < 4
    with pytest.raises(NotImplementedError, match="no density"):
        q.log_prob(z)


def test_with_the_exact_classifier_value_and_gradient_are_the_bounds():
    """E[log p(x|z) - T] is L, and its gradient with T constant that of L: the missing score has mean zero."""
    net = seeded(Affine)
    model, estimate = model_with(net), PriorContrastive(ExactRatio(net))
    torch.manual_seed(0)
    values, slopes = [], []
    for _ in range(50):
        value = estimate(model, X, 100)
        values.append(value.detach())
        slopes.append(torch.autograd.grad(value.sum(), net.root)[0])
    q, exact = net.density(X), linear_gaussian_model()
    z = q.rsample((50_000,))
    bound = (exact.log_joint(X, z) - q.log_prob(z)).mean(0)
    slope = torch.autograd.grad(bound.sum(), net.root)[0]
    spread = (exact.log_joint(X, z) - q.log_prob(z)).std(0).detach() / 50_000**0.5
    values = torch.stack(values)
    assert ((values.mean(0) - bound.detach()).abs() < 4 * (values.std(0) / 50**0.5 + spread)).all()
    slopes = torch.stack(slopes)
    free = torch.tensor([[True, False], [True, True]])
    # The slope beside it, of fifty times a thousand samples, has an error of its own: a factor of root two at most.
    assert ((slopes.mean(0) - slope).abs() < 4 * 2**0.5 * slopes.std(0) / 50**0.5)[free].all()


@pytest.mark.parametrize("kind", [PriorContrastive, JointContrastive])
def test_classifier_finds_the_ratio(kind):
    """A quadratic classifier contains the exact logit of a Gaussian; trained, it comes near it."""

    class Quadratic(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = nn.Linear(1 + 5 + 15, 1)

        def forward(self, x, z):
            both = torch.cat([x.expand(*z.shape[:-1], -1), z], -1)
            i, j = torch.triu_indices(5, 5)
            return self.net(torch.cat([torch.ones_like(z[..., :1]), both, both[..., i] * both[..., j]], -1))

    net = seeded(Affine)
    model, contrast = model_with(net), kind(seeded(Quadratic))
    data = linear_gaussian_model()
    optimiser = torch.optim.Adam(contrast.parameters(), lr=0.05)
    torch.manual_seed(0)
    for step in range(1200):
        optimiser.param_groups[0]["lr"] = 0.05 * (1 - step / 1200)
        with torch.no_grad():
            x = data.sample(500)
        optimiser.zero_grad()
        (-contrast(model, x, 1)).sum().backward()
        optimiser.step()
    with torch.no_grad():
        x = data.sample(2000)
        z = model.posterior(x).sample((1,))
        log_q, log_joint = net.density(x).log_prob(z), data.log_joint(x, z)
        log_px = data.draw(x, 1).log_w[0]  # of the exact posterior: p(x), which is the data's density here
        exact = log_q - data.prior().log_prob(z) if kind is PriorContrastive else log_q + log_px - log_joint
        error = contrast.log_ratio_estimate(x, z) - exact
    near = exact.abs() < 3  # further out the classifier is sure, and its mistakes in the logit cost it nothing
    assert near.sum() > 300 and error[near].abs().mean() < 0.5  # chosen: of a ratio that varies by 6


@pytest.mark.parametrize("kind", [PriorContrastive, JointContrastive])
def test_who_learns_from_what(kind):
    """q and the decoder do not feel the classifier's own term, and the classifier does not feel theirs."""
    base = neural_model()
    net = seeded(lambda: Joined(MLP(base_dim(base) + 2, (4,), latents(base))))
    model = LatentVariableModel(base.prior, base.likelihood, ImplicitPosterior(net, 2, latents(base)))
    contrast = kind(seeded(lambda: Joined(MLP(base_dim(base) + latents(base), (4,), 1))))
    x = base.sample(6)
    torch.manual_seed(0)
    contrast(model, x, 3).sum().backward()
    for part in (model.likelihood, model.posterior, contrast):
        assert all(p.grad is not None and p.grad.abs().max() > 0 for p in part.parameters())
    torch.manual_seed(0)
    value = contrast(model, x, 3)
    with torch.no_grad():
        torch.manual_seed(0)
        z = model.posterior(x).rsample((3,))
        expected = -contrast.log_ratio_estimate(x, z)
        if kind is PriorContrastive:
            expected = expected + model.log_likelihood(x, z)
    torch.testing.assert_close(value.detach(), expected.mean(0))


def latents(model):
    return model.prior().event_shape[0]


def base_dim(model):
    return model.sample(1).shape[-1]


def test_an_explicit_q_will_do_and_a_discrete_will_not():
    model = linear_gaussian_model()
    contrast = PriorContrastive(seeded(lambda: Joined(MLP(3 + 2, (4,), 1))))
    assert contrast(model, X, 2).shape == (4,)
    with pytest.raises(ValueError, match="num_noise must be at least 1, and is 0"):
        ImplicitPosterior(nn.Identity(), 0, 2)


@pytest.mark.parametrize("kind", [PriorContrastive, JointContrastive])
def test_samples_where_the_call_names_none(kind):
    classifier = seeded(lambda: Joined(MLP(3 + 2, (4,), 1)))
    model = linear_gaussian_model()
    torch.manual_seed(0)
    said_before = kind(classifier, num_samples=5)(model, X)
    torch.manual_seed(0)
    torch.testing.assert_close(said_before, kind(classifier)(model, X, 5), rtol=0, atol=0)
    with pytest.raises(ValueError, match="num_samples must be"):
        kind(classifier, num_samples=0)
