# %% right: a loop over the temperatures
def annealed_estimate(log_px_z, betas):
    log_w = torch.zeros(log_px_z.shape[1], dtype=log_px_z.dtype)
    for t in range(len(log_px_z)):
        log_w = log_w + (betas[t + 1] - betas[t]) * log_px_z[t]
    return torch.logsumexp(log_w, 0) - math.log(len(log_w))


# %% right: a product of matrices, in float32
def annealed_estimate(log_px_z, betas):
    log_w = (betas[1:] - betas[:-1]).float() @ log_px_z.float()
    top = log_w.max()
    return top + (log_w - top).exp().mean().log()


# %% wrong: the mean of log w
# says: this is the mean of log w over chains
def annealed_estimate(log_px_z, betas):
    return (betas.diff()[:, None] * log_px_z).sum(0).mean()


# %% wrong: the mean of log w, temperature by temperature
# says: this is the mean of log w over chains
def annealed_estimate(log_px_z, betas):
    return betas.diff() @ log_px_z.mean(1)


# %% wrong: no - log S
# says: the logarithm of the number of chains is missing
def annealed_estimate(log_px_z, betas):
    return (betas.diff()[:, None] * log_px_z).sum(0).logsumexp(0)


# %% wrong: the sum of the weights
# says: the logarithm of the number of chains is missing
def annealed_estimate(log_px_z, betas):
    return (betas.diff() @ log_px_z).exp().sum().log()


# %% wrong: beta in place of its steps
# says: the difference of two betas
def annealed_estimate(log_px_z, betas):
    log_w = (betas[1:, None] * log_px_z).sum(0)
    return log_w.logsumexp(0) - math.log(len(log_w))


# %% wrong: beta in place of its steps, as a product
# says: the difference of two betas
def annealed_estimate(log_px_z, betas):
    log_w = betas[1:] @ log_px_z
    return log_w.logsumexp(0) - math.log(len(log_w))


# %% wrong: averaged at every temperature
# says: average over chains last
def annealed_estimate(log_px_z, betas):
    return betas.diff() @ (log_px_z.logsumexp(1) - math.log(log_px_z.shape[1]))


# %% wrong: averaged at every temperature, by exp
# says: average over chains last
def annealed_estimate(log_px_z, betas):
    return (betas.diff() * log_px_z.exp().mean(1).log()).sum()


# %% wrong: one number a chain
# says: one number for all chains
def annealed_estimate(log_px_z, betas):
    return (betas.diff()[:, None] * log_px_z).sum(0)


# %% wrong: one number a temperature
# says: one number for all chains
def annealed_estimate(log_px_z, betas):
    return betas.diff() * log_px_z.mean(1)
