# %% right: the density itself
def log_likelihood_of_residuals(residuals):
    sigma = residuals.square().mean().sqrt()
    return td.Normal(torch.zeros_like(sigma), sigma).log_prob(residuals).sum(1).mean()


# %% right: in float32
def log_likelihood_of_residuals(residuals):
    r = residuals.float()
    return -32 * (math.log(2 * math.pi) + (r**2).mean().log() + 1)


# %% wrong: per pixel
# says: this is per pixel
def log_likelihood_of_residuals(residuals):
    return -0.5 * (torch.log(2 * math.pi * residuals.square().mean()) + 1)


# %% wrong: the mean of the density over pixels
# says: this is per pixel
def log_likelihood_of_residuals(residuals):
    return td.Normal(0, residuals.square().mean().sqrt()).log_prob(residuals).mean()


# %% wrong: the total
# says: this is the total
def log_likelihood_of_residuals(residuals):
    return -residuals.numel() / 2 * (torch.log(2 * math.pi * residuals.square().mean()) + 1)


# %% wrong: the sum of the density
# says: this is the total
def log_likelihood_of_residuals(residuals):
    return td.Normal(0, residuals.square().mean().sqrt()).log_prob(residuals).sum()


# %% wrong: var
# says: subtract the mean first
def log_likelihood_of_residuals(residuals):
    return -residuals.shape[1] / 2 * (torch.log(2 * math.pi * residuals.var()) + 1)


# %% wrong: std
# says: subtract the mean first
def log_likelihood_of_residuals(residuals):
    return -residuals.shape[1] * (residuals.std().log() + 0.5 * math.log(2 * math.pi) + 0.5)


# %% wrong: a sigma for each pixel
# says: one sigma for all pixels
def log_likelihood_of_residuals(residuals):
    return -0.5 * (torch.log(2 * math.pi * residuals.square().mean(0)) + 1).sum()


# %% wrong: the density with a sigma for each pixel
# says: one sigma for all pixels
def log_likelihood_of_residuals(residuals):
    return td.Normal(0, residuals.square().mean(0).sqrt()).log_prob(residuals).sum(1).mean()
