# %% right: the larger of two variances
def log_px_at(eigenvalues, beta, sigma):
    variances = torch.maximum(eigenvalues + (1 - beta) * sigma**2, torch.full_like(eigenvalues, sigma**2))
    return -0.5 * (math.log(2 * math.pi) * len(variances) + variances.log().sum() + (eigenvalues / variances).sum())


# %% right: through the package's marginal
def log_px_at(eigenvalues, beta, sigma):
    weight = (eigenvalues - beta * sigma**2).clamp(min=0).sqrt().diag()
    marginal = exact.linear_gaussian_marginal(exact.linear_gaussian(weight, torch.zeros_like(eigenvalues), sigma))
    size, covariance = len(eigenvalues), marginal.covariance_matrix.detach()
    quadratic = (eigenvalues / covariance.diagonal()).sum()
    return -0.5 * (size * math.log(2 * math.pi) + covariance.logdet() + quadratic)


# %% wrong: the bound
# says: this is the bound, not log p(x)
def log_px_at(eigenvalues, beta, sigma):
    level = beta * sigma**2
    rate = 0.5 * (eigenvalues / level).log().clamp(min=0)
    error = torch.minimum(eigenvalues, torch.full_like(eigenvalues, level))
    return -(rate + 0.5 * (math.log(2 * math.pi * sigma**2) + error / sigma**2)).sum()


# %% wrong: the ELBO of the package
# says: this is the bound, not log p(x)
def log_px_at(eigenvalues, beta, sigma):
    return exact.linear_vae(eigenvalues, len(eigenvalues), beta=beta, scale=sigma).elbo


# %% wrong: no noise
# says: the noise is missing
def log_px_at(eigenvalues, beta, sigma):
    variances = (eigenvalues - beta * sigma**2).clamp(min=1e-9)
    return -0.5 * ((2 * math.pi * variances).log() + eigenvalues / variances).sum()


# %% wrong: a density of the signal alone
# says: the noise is missing
def log_px_at(eigenvalues, beta, sigma):
    signal = torch.maximum(eigenvalues - beta * sigma**2, torch.full_like(eigenvalues, 1e-9))
    return -0.5 * (math.log(2 * math.pi) + signal.log() + eigenvalues / signal).sum()


# %% wrong: noise on top of the whole variance
# says: w^2 is the eigenvalue less the water level
def log_px_at(eigenvalues, beta, sigma):
    variances = eigenvalues + sigma**2
    return -0.5 * ((2 * math.pi * variances).log() + eigenvalues / variances).sum()


# %% wrong: the water forgotten
# says: w^2 is the eigenvalue less the water level
def log_px_at(eigenvalues, beta, sigma):
    weight = eigenvalues.sqrt()
    return -0.5 * (math.log(2 * math.pi) + (weight**2 + sigma**2).log() + eigenvalues / (weight**2 + sigma**2)).sum()
