# %% right: raises, on data of its own
def accepts(implementation):
    model = exact.linear_gaussian(torch.tensor([[2.0], [1.0]]).double(), torch.zeros(2).double(), scale=1.5)
    x = torch.tensor([[0.5, -1.0], [2.0, 0.3]]).double()
    q, bound = implementation(model, x)
    posterior = model.posterior(x)
    assert_close(q.mean, posterior.mean, rtol=0, atol=1e-3)
    assert_close(q.stddev, posterior.stddev, rtol=0, atol=1e-3)
    assert_close(bound, exact.linear_gaussian_marginal(model).log_prob(x), rtol=0, atol=1e-3)


# %% right: the claimed bound against quadrature at the returned q, and q against perturbations of it
def accepts(implementation):
    weight = torch.tensor([[1.0, 1.0], [1.0, -1.0], [0.0, 0.5]]).double()
    model = exact.linear_gaussian(weight, torch.zeros(3).double(), scale=0.7)
    x = torch.tensor([[1.0, -0.5, 2.0], [0.3, 0.8, -1.0]]).double()
    q, bound = implementation(model, x)
    best = exact.linear_gaussian_marginal(model).log_prob(x)
    here = exact.gaussian_bound(model, x, q).detach()
    return bool(((bound - here).abs() < 1e-3).all() and ((best - here).abs() < 0.3).all()) and bool(
        ((best - here) < 0.02).all()
    )


# %% wrong: refuses everything
# says: your test refuses the right implementation
def accepts(implementation):
    return False


# %% wrong: a model whose posterior is not diagonal
# says: your test refuses the right implementation
def accepts(implementation):
    weight = torch.tensor([[1.0, 0.9], [1.0, 1.0], [0.0, 0.5]]).double()
    model = exact.linear_gaussian(weight, torch.zeros(3).double(), scale=0.7)
    x = torch.tensor([[1.0, -0.5, 2.0], [0.3, 0.8, -1.0]]).double()
    _, bound = implementation(model, x)
    return bool(((bound - exact.linear_gaussian_marginal(model).log_prob(x)).abs() < 1e-4).all())


# %% wrong: never looks at the bound
# says: a right q with a wrong bound passes
def accepts(implementation):
    weight = torch.tensor([[1.0, 1.0], [1.0, -1.0], [0.0, 0.5]]).double()
    model = exact.linear_gaussian(weight, torch.zeros(3).double(), scale=0.7)
    x = torch.tensor([[1.0, -0.5, 2.0], [0.3, 0.8, -1.0]]).double()
    q, _ = implementation(model, x)
    posterior = model.posterior(x)
    return bool((q.mean - posterior.mean).abs().max() < 1e-3 and (q.stddev - posterior.stddev).abs().max() < 1e-3)


# %% wrong: the divergence from the posterior alone
# says: a right q with a wrong bound passes
def accepts(implementation):
    model = exact.linear_gaussian(torch.tensor([[2.0], [1.0]]).double(), torch.zeros(2).double(), scale=1.5)
    x = torch.tensor([[0.5, -1.0], [2.0, 0.3]]).double()
    q, _ = implementation(model, x)
    posterior = model.posterior(x)
    exact_q = td.Independent(td.Normal(posterior.mean, posterior.stddev), 1)
    return bool((td.kl_divergence(q, exact_q) < 1e-4).all())


# %% wrong: accepts everything
# says: what was fitted to four samples passes
def accepts(implementation):
    return True


# %% wrong: shapes and finite numbers
# says: what was fitted to four samples passes
def accepts(implementation):
    model = exact.linear_gaussian(torch.tensor([[2.0], [1.0]]).double(), torch.zeros(2).double(), scale=1.5)
    q, bound = implementation(model, torch.tensor([[0.5, -1.0], [2.0, 0.3]]).double())
    return q.batch_shape == (2,) and bool(bound.isfinite().all())


# %% wrong: the bound agrees with q, and of q only the mean is looked at
# says: a q without entropy
def accepts(implementation):
    weight = torch.tensor([[1.0, 1.0], [1.0, -1.0], [0.0, 0.5]]).double()
    model = exact.linear_gaussian(weight, torch.zeros(3).double(), scale=0.7)
    x = torch.tensor([[1.0, -0.5, 2.0], [0.3, 0.8, -1.0]]).double()
    q, bound = implementation(model, x)
    consistent = (bound - exact.gaussian_bound(model, x, q)).abs().max() < 1e-4
    return bool(consistent and (q.mean - model.posterior(x).mean).abs().max() < 1e-3)


# %% wrong: the bound must not be above log p(x), and must be that of q
# says: a q without entropy
def accepts(implementation):
    model = exact.linear_gaussian(torch.tensor([[2.0], [1.0]]).double(), torch.zeros(2).double(), scale=1.5)
    x = torch.tensor([[0.5, -1.0], [2.0, 0.3]]).double()
    q, bound = implementation(model, x)
    log_px = exact.linear_gaussian_marginal(model).log_prob(x)
    return bool((bound <= log_px + 1e-6).all() and (bound - exact.gaussian_bound(model, x, q)).abs().max() < 1e-4)


# %% wrong: the means and the bound
# says: variances returned as scales pass
def accepts(implementation):
    weight = torch.tensor([[1.0, 1.0], [1.0, -1.0], [0.0, 0.5]]).double()
    model = exact.linear_gaussian(weight, torch.zeros(3).double(), scale=0.7)
    x = torch.tensor([[1.0, -0.5, 2.0], [0.3, 0.8, -1.0]]).double()
    q, bound = implementation(model, x)
    right_bound = (bound - exact.linear_gaussian_marginal(model).log_prob(x)).abs().max() < 1e-4
    return bool(right_bound and (q.mean - model.posterior(x).mean).abs().max() < 1e-3)


# %% wrong: a model whose posterior is the prior
# says: variances returned as scales pass
def accepts(implementation):
    model = exact.linear_gaussian(torch.zeros(3, 2).double(), torch.zeros(3).double(), scale=0.7)
    x = torch.tensor([[1.0, -0.5, 2.0], [0.3, 0.8, -1.0]]).double()
    q, bound = implementation(model, x)
    right_bound = (bound - exact.linear_gaussian_marginal(model).log_prob(x)).abs().max() < 1e-4
    return bool(right_bound and (q.stddev - 1).abs().max() < 1e-3 and q.mean.abs().max() < 1e-3)


# %% wrong: a single datum
# says: does your test use several data
def accepts(implementation):
    weight = torch.tensor([[1.0, 1.0], [1.0, -1.0], [0.0, 0.5]]).double()
    model = exact.linear_gaussian(weight, torch.zeros(3).double(), scale=0.7)
    x = torch.tensor([[1.0, -0.5, 2.0]]).double()
    q, bound = implementation(model, x)
    posterior = model.posterior(x)
    right_q = (q.mean - posterior.mean).abs().max() < 1e-3 and (q.stddev - posterior.stddev).abs().max() < 1e-3
    return bool(right_q and (bound - exact.linear_gaussian_marginal(model).log_prob(x)).abs().max() < 1e-4)


# %% wrong: the same datum twice
# says: does your test use several data
def accepts(implementation):
    weight = torch.tensor([[1.0, 1.0], [1.0, -1.0], [0.0, 0.5]]).double()
    model = exact.linear_gaussian(weight, torch.zeros(3).double(), scale=0.7)
    x = torch.tensor([[1.0, -0.5, 2.0]]).double().expand(2, -1)
    q, bound = implementation(model, x)
    posterior = model.posterior(x)
    right_q = (q.mean - posterior.mean).abs().max() < 1e-3 and (q.stddev - posterior.stddev).abs().max() < 1e-3
    return bool(right_q and (bound - exact.linear_gaussian_marginal(model).log_prob(x)).abs().max() < 1e-4)


# %% wrong: the mean of the bounds
# says: bounds in the wrong order pass
def accepts(implementation):
    weight = torch.tensor([[1.0, 1.0], [1.0, -1.0], [0.0, 0.5]]).double()
    model = exact.linear_gaussian(weight, torch.zeros(3).double(), scale=0.7)
    x = torch.tensor([[1.0, -0.5, 2.0], [0.3, 0.8, -1.0]]).double()
    q, bound = implementation(model, x)
    posterior = model.posterior(x)
    right_q = (q.mean - posterior.mean).abs().max() < 1e-3 and (q.stddev - posterior.stddev).abs().max() < 1e-3
    return bool(right_q and (bound - exact.linear_gaussian_marginal(model).log_prob(x)).mean().abs() < 1e-4)


# %% wrong: the sorted bounds
# says: bounds in the wrong order pass
def accepts(implementation):
    weight = torch.tensor([[1.0, 1.0], [1.0, -1.0], [0.0, 0.5]]).double()
    model = exact.linear_gaussian(weight, torch.zeros(3).double(), scale=0.7)
    x = torch.tensor([[1.0, -0.5, 2.0], [0.3, 0.8, -1.0]]).double()
    q, bound = implementation(model, x)
    posterior = model.posterior(x)
    right_q = (q.mean - posterior.mean).abs().max() < 1e-3 and (q.stddev - posterior.stddev).abs().max() < 1e-3
    log_px = exact.linear_gaussian_marginal(model).log_prob(x)
    return bool(right_q and (bound.sort().values - log_px.sort().values).abs().max() < 1e-4)
