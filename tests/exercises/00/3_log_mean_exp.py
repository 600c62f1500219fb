# %% right: logaddexp, sample by sample
def log_mean_exp(log_w):
    total = log_w[0]
    for row in log_w[1:]:
        total = torch.logaddexp(total, row)
    return total - math.log(len(log_w))


# %% right: in float32
def log_mean_exp(log_w):
    log_w = log_w.float()
    largest = log_w.amax(0)
    return largest + (log_w - largest).exp().mean(0).log()


# %% wrong: the plain formula
# says: exp(-2000) is zero
def log_mean_exp(log_w):
    return log_w.exp().mean(0).log()


# %% wrong: one maximum for all data
# says: exp(-2000) is zero
def log_mean_exp(log_w):
    return log_w.max() + (log_w - log_w.max()).exp().mean(0).log()


# %% wrong: mean for maximum
# says: something smaller than the largest
def log_mean_exp(log_w):
    level = log_w.mean(0)
    return level + (log_w - level).exp().mean(0).log()


# %% wrong: minimum for maximum
# says: something smaller than the largest
def log_mean_exp(log_w):
    level = log_w.min(0).values
    return level + (log_w - level).exp().mean(0).log()


# %% wrong: mean of logarithms
# says: the ELBO, not L_k
def log_mean_exp(log_w):
    return log_w.mean(0)


# %% wrong: mean of logarithms, shifted
# says: the ELBO, not L_k
def log_mean_exp(log_w):
    largest = log_w.max(0).values
    return largest + (log_w - largest).mean(0)


# %% wrong: sum for mean
# says: - log S is lost
def log_mean_exp(log_w):
    largest = log_w.max(0).values
    return largest + (log_w - largest).exp().sum(0).log()


# %% wrong: logaddexp without the number
# says: - log S is lost
def log_mean_exp(log_w):
    total = log_w[0]
    for row in log_w[1:]:
        total = torch.logaddexp(total, row)
    return total


# %% wrong: over data
# says: one number per datum
def log_mean_exp(log_w):
    largest = log_w.max(1, keepdim=True).values
    return (largest + (log_w - largest).exp().mean(1, keepdim=True).log().clamp(min=-1e4)).squeeze(1)
