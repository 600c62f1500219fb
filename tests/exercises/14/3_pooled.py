# %% right: in two stages
def pooled(log_w):
    each = log_w.logsumexp(1) - torch.tensor(float(log_w.shape[1])).log()
    return each.logsumexp(0) - torch.tensor(float(len(log_w))).log()


# %% right: about the largest, in float32
def pooled(log_w):
    top = log_w.float().max()
    return top + (log_w.float() - top).exp().mean().log()


# %% wrong: the largest
# says: the largest of several estimates
def pooled(log_w):
    return (log_w.logsumexp(1) - torch.tensor(float(log_w.shape[1])).log()).max()


# %% wrong: the last after sorting
# says: the largest of several estimates
def pooled(log_w):
    return (log_w.logsumexp(1) - torch.tensor(float(log_w.shape[1])).log()).sort().values[-1]


# %% wrong: mean of logarithms
# says: this is a mean of logarithms
def pooled(log_w):
    return (log_w.logsumexp(1) - torch.tensor(float(log_w.shape[1])).log()).mean()


# %% wrong: mean of logarithms, at the end
# says: this is a mean of logarithms
def pooled(log_w):
    return log_w.logsumexp(1).sum() / len(log_w) - torch.tensor(float(log_w.shape[1])).log()


# %% wrong: ELBO
# says: this is the mean log-weight
def pooled(log_w):
    return log_w.mean()


# %% wrong: ELBO of each, averaged
# says: this is the mean log-weight
def pooled(log_w):
    return log_w.mean(1).mean()


# %% wrong: a sum
# says: the weights are summed
def pooled(log_w):
    return log_w.flatten().logsumexp(0)


# %% wrong: a sum of sums
# says: the weights are summed
def pooled(log_w):
    return log_w.logsumexp(1).logsumexp(0)


# %% wrong: by S alone
# says: divided by S alone
def pooled(log_w):
    return log_w.flatten().logsumexp(0) - torch.tensor(float(log_w.shape[1])).log()


# %% wrong: summed over proposals, then averaged
# says: divided by S alone
def pooled(log_w):
    return log_w.logsumexp(0).logsumexp(0) - torch.tensor(float(log_w.shape[-1])).log()


# %% wrong: weights underflow
# says: far below zero the weights underflow
def pooled(log_w):
    return log_w.exp().mean().log()


# %% wrong: weights underflow, in two stages
# says: far below zero the weights underflow
def pooled(log_w):
    return log_w.exp().mean(1).mean().log()
