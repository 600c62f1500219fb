# %% right: larger model
def accepts(implementation):
    model = exact.linear_gaussian(torch.eye(6, 3).double(), torch.zeros(6).double(), scale=1.0)
    data_x = torch.ones(3, 6).double()
    q = td.Independent(td.Normal(torch.full((3, 3), 0.2).double(), torch.full((3, 3), 0.5).double()), 1)
    values = torch.stack([implementation(model, data_x, q) for _ in range(200)])
    error, se = values.mean(0) - closed_form_elbo(model, data_x, q), values.std(0) / math.sqrt(200)
    return bool((error.abs() < 5 * se).all())


# %% right: against the evidence less the divergence from the posterior
def accepts(implementation):
    model = exact.linear_gaussian(torch.randn(5, 3).double(), torch.randn(5).double(), scale=0.7)
    data_x = model.sample(4)
    q = td.Independent(td.Normal(0.5 * torch.randn(4, 3).double(), torch.full((4, 3), 0.4).double()), 1)
    target = exact.linear_gaussian_marginal(model).log_prob(data_x) - td.kl_divergence(q, model.posterior(data_x))
    errors = torch.stack([implementation(model, data_x, q) for _ in range(300)]) - target
    return (errors.mean(0).abs() < 5 * errors.std(0) / math.sqrt(300)).all().item()


# %% wrong: a tensor
# says: return True or False
def accepts(implementation):
    model = exact.linear_gaussian(torch.eye(4, 2).double(), torch.zeros(4).double(), scale=1.0)
    data_x = torch.ones(3, 4).double()
    q = td.Independent(td.Normal(torch.full((3, 2), 0.5).double(), torch.full((3, 2), 0.3).double()), 1)
    values = torch.stack([implementation(model, data_x, q) for _ in range(200)])
    error, se = values.mean(0) - closed_form_elbo(model, data_x, q), values.std(0) / math.sqrt(200)
    return (error.abs() < 5 * se).all()


# %% wrong: nothing returned
# says: return True or False
def accepts(implementation):
    model = exact.linear_gaussian(torch.eye(4, 2).double(), torch.zeros(4).double(), scale=1.0)
    data_x = torch.ones(3, 4).double()
    q = td.Independent(td.Normal(torch.full((3, 2), 0.5).double(), torch.full((3, 2), 0.3).double()), 1)
    values = torch.stack([implementation(model, data_x, q) for _ in range(200)])
    print(values.mean(0) - closed_form_elbo(model, data_x, q))


# %% wrong: a tolerance below the noise
# says: your test refuses the right implementation
def accepts(implementation):
    model = exact.linear_gaussian(torch.eye(4, 2).double(), torch.zeros(4).double(), scale=1.0)
    data_x = torch.ones(3, 4).double()
    q = td.Independent(td.Normal(torch.full((3, 2), 0.5).double(), torch.full((3, 2), 0.3).double()), 1)
    values = torch.stack([implementation(model, data_x, q) for _ in range(200)])
    error = values.mean(0) - closed_form_elbo(model, data_x, q)
    return bool((error.abs() < 1e-9).all())


# %% wrong: one call, to three digits
# says: your test refuses the right implementation
def accepts(implementation):
    model = exact.linear_gaussian(torch.eye(4, 2).double(), torch.zeros(4).double(), scale=1.0)
    data_x = torch.ones(3, 4).double()
    q = td.Independent(td.Normal(torch.full((3, 2), 0.5).double(), torch.full((3, 2), 0.3).double()), 1)
    values = torch.stack([implementation(model, data_x, q) for _ in range(200)])
    return bool(((values[0] - closed_form_elbo(model, data_x, q)).abs() < 1e-3).all())


# %% wrong: always content
# says: a KL averaged over latents passes
def accepts(implementation):
    return True


# %% wrong: one latent
# says: a KL averaged over latents passes
def accepts(implementation):
    model = exact.linear_gaussian(torch.eye(4, 1).double(), torch.zeros(4).double(), scale=1.0)
    data_x = torch.ones(3, 4).double()
    q = td.Independent(td.Normal(torch.full((3, 1), 0.5).double(), torch.full((3, 1), 0.3).double()), 1)
    values = torch.stack([implementation(model, data_x, q) for _ in range(200)])
    error, se = values.mean(0) - closed_form_elbo(model, data_x, q), values.std(0) / math.sqrt(200)
    return bool((error.abs() < 5 * se).all())


# %% wrong: one pixel
# says: a mean over pixels passes
def accepts(implementation):
    model = exact.linear_gaussian(torch.eye(1, 2).double(), torch.zeros(1).double(), scale=1.0)
    data_x = torch.ones(3, 1).double()
    q = td.Independent(td.Normal(torch.full((3, 2), 0.5).double(), torch.full((3, 2), 0.3).double()), 1)
    values = torch.stack([implementation(model, data_x, q) for _ in range(200)])
    error, se = values.mean(0) - closed_form_elbo(model, data_x, q), values.std(0) / math.sqrt(200)
    return bool((error.abs() < 5 * se).all())


# %% wrong: another model of one pixel
# says: a mean over pixels passes
def accepts(implementation):
    model = exact.linear_gaussian(torch.eye(1, 3).double(), torch.zeros(1).double(), scale=1.0)
    data_x = torch.ones(3, 1).double()
    q = td.Independent(td.Normal(torch.full((3, 3), 0.2).double(), torch.full((3, 3), 0.5).double()), 1)
    values = torch.stack([implementation(model, data_x, q) for _ in range(200)])
    error, se = values.mean(0) - closed_form_elbo(model, data_x, q), values.std(0) / math.sqrt(200)
    return bool((error.abs() < 5 * se).all())


# %% wrong: a q of unit scale
# says: exchanged arguments pass
def accepts(implementation):
    model = exact.linear_gaussian(torch.eye(4, 2).double(), torch.zeros(4).double(), scale=1.0)
    data_x = torch.ones(3, 4).double()
    q = td.Independent(td.Normal(torch.full((3, 2), 0.8).double(), torch.full((3, 2), 1.0).double()), 1)
    values = torch.stack([implementation(model, data_x, q) for _ in range(200)])
    error, se = values.mean(0) - closed_form_elbo(model, data_x, q), values.std(0) / math.sqrt(200)
    return bool((error.abs() < 5 * se).all())


# %% wrong: a q of unit scale, more latents
# says: exchanged arguments pass
def accepts(implementation):
    model = exact.linear_gaussian(torch.eye(6, 3).double(), torch.zeros(6).double(), scale=1.0)
    data_x = torch.ones(3, 6).double()
    q = td.Independent(td.Normal(torch.full((3, 3), 1.2).double(), torch.full((3, 3), 1.0).double()), 1)
    values = torch.stack([implementation(model, data_x, q) for _ in range(200)])
    error, se = values.mean(0) - closed_form_elbo(model, data_x, q), values.std(0) / math.sqrt(200)
    return bool((error.abs() < 5 * se).all())


# %% wrong: not above the bound
# says: a bound that is too low passes
def accepts(implementation):
    model = exact.linear_gaussian(torch.eye(4, 2).double(), torch.zeros(4).double(), scale=1.0)
    data_x = torch.ones(3, 4).double()
    q = td.Independent(td.Normal(torch.full((3, 2), 0.1).double(), torch.full((3, 2), 2.0).double()), 1)
    values = torch.stack([implementation(model, data_x, q) for _ in range(200)])
    error, se = values.mean(0) - closed_form_elbo(model, data_x, q), values.std(0) / math.sqrt(200)
    return bool((error < 5 * se).all())


# %% wrong: not above the evidence
# says: a bound that is too low passes
def accepts(implementation):
    model = exact.linear_gaussian(torch.eye(6, 3).double(), torch.zeros(6).double(), scale=1.0)
    data_x = torch.ones(3, 6).double()
    q = td.Independent(td.Normal(torch.full((3, 3), 0.1).double(), torch.full((3, 3), 2.5).double()), 1)
    values = torch.stack([implementation(model, data_x, q) for _ in range(200)])
    error, se = values.mean(0) - closed_form_elbo(model, data_x, q), values.std(0) / math.sqrt(200)
    return bool((error.mean() < 5 * se.mean()).all())
