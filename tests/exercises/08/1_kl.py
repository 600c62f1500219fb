# %% right: entropy and cross entropy
def gaussian_kl(loc, log_scale):
    cross = 0.5 * (loc**2 + torch.exp(2 * log_scale) + np.log(2 * np.pi))
    return (cross - td.Normal(loc, log_scale.exp()).entropy()).sum(1)


# %% right: in float32, one latent after the other
def gaussian_kl(loc, log_scale):
    loc, log_scale = loc.float(), log_scale.float()
    total = torch.zeros(len(loc))
    for m, s in zip(loc.T, log_scale.T):
        total = total + 0.5 * (m * m + torch.exp(s) ** 2 - 1) - s
    return total


# %% wrong: mean over the latents
# says: independent latents add
def gaussian_kl(loc, log_scale):
    return 0.5 * (loc**2 + (2 * log_scale).exp() - 1 - 2 * log_scale).mean(-1)


# %% wrong: a mean in float32
# says: independent latents add
def gaussian_kl(loc, log_scale):
    return td.kl_divergence(td.Normal(loc.float(), log_scale.float().exp()), td.Normal(0.0, 1.0)).mean(1)


# %% wrong: one number for the batch
# says: one number per datum is wanted
def gaussian_kl(loc, log_scale):
    return 0.5 * (loc**2 + (2 * log_scale).exp() - 1 - 2 * log_scale).sum(-1).mean()


# %% wrong: sum over latents, then a mean by torch
# says: one number per datum is wanted
def gaussian_kl(loc, log_scale):
    return td.kl_divergence(td.Normal(loc, log_scale.exp()), td.Normal(0.0, 1.0)).sum() / len(loc)


# %% wrong: the log-variance of many papers
# says: read as a log-variance
def gaussian_kl(loc, log_scale):
    return -0.5 * (1 + log_scale - loc**2 - log_scale.exp()).sum(1)


# %% wrong: the same through a distribution
# says: read as a log-variance
def gaussian_kl(loc, log_scale):
    return td.kl_divergence(td.Normal(loc, (log_scale / 2).exp()), td.Normal(0.0, 1.0)).sum(1)


# %% wrong: upside down
# says: the sign is flipped
def gaussian_kl(loc, log_scale):
    return 0.5 * (1 + 2 * log_scale - loc**2 - (2 * log_scale).exp()).sum(-1)


# %% wrong: E[log p - log q]
# says: the sign is flipped
def gaussian_kl(loc, log_scale):
    return -td.kl_divergence(td.Normal(loc, log_scale.exp()), td.Normal(0.0, 1.0)).sum(1)


# %% wrong: nothing is returned
# says: the KL is None
def gaussian_kl(loc, log_scale):
    0.5 * (loc**2 + (2 * log_scale).exp() - 1 - 2 * log_scale).sum(-1)


# %% wrong: no sum at all
# says: one number per datum
def gaussian_kl(loc, log_scale):
    return 0.5 * (loc**2 + (2 * log_scale).exp() - 1 - 2 * log_scale)
