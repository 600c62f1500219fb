# %% right: weights over the largest
def report(log_w):
    top = log_w.max(0).values
    w = torch.exp(log_w - top)
    ess = w.sum(0) ** 2 / (w**2).sum(0)
    return top + w.mean(0).log(), ess, ((len(w) / ess - 1) / len(w)).sqrt()


# %% right: normalised weights, in float32
def report(log_w):
    log_w = log_w.float()
    share = torch.softmax(log_w, 0)
    ess = 1 / share.square().sum(0)
    return torch.logsumexp(log_w, 0) - math.log(len(log_w)), ess, (1 / ess - 1 / len(log_w)) ** 0.5


# %% wrong: one number
# says: return three numbers per datum
def report(log_w):
    return log_w.logsumexp(0) - math.log(len(log_w))


# %% wrong: two numbers
# says: return three numbers per datum
def report(log_w):
    return log_w.logsumexp(0) - math.log(len(log_w)), 1 / log_w.softmax(0).square().sum(0)


# %% wrong: no - log M
# says: the - log M is missing
def report(log_w):
    return log_w.logsumexp(0), None, None


# %% wrong: no - log M, by hand
# says: the - log M is missing
def report(log_w):
    top = log_w.max(0).values
    return top + (log_w - top).exp().sum(0).log(), None, None


# %% wrong: the ELBO
# says: that is the ELBO
def report(log_w):
    return log_w.mean(0), None, None


# %% wrong: the ELBO in float32
# says: that is the ELBO
def report(log_w):
    return log_w.float().sum(0) / len(log_w), None, None


# %% wrong: exp first
# says: have underflowed
def report(log_w):
    return torch.log(torch.exp(log_w).sum(0) / len(log_w)), None, None


# %% wrong: exp first, then mean
# says: have underflowed
def report(log_w):
    return log_w.exp().mean(0).log(), None, None


# %% wrong: an average over data
# says: one number per datum: average over the samples
def report(log_w):
    return log_w.logsumexp(1) - math.log(log_w.shape[1]), None, None


# %% wrong: one number for all data
# says: one number per datum: average over the samples
def report(log_w):
    return (log_w.logsumexp(0) - math.log(len(log_w))).mean(), None, None


# %% wrong: sum of squares of normalised weights
# says: turn it over
def report(log_w):
    return log_w.logsumexp(0) - math.log(len(log_w)), log_w.softmax(0).square().sum(0), None


# %% wrong: the ratio upside down
# says: turn it over
def report(log_w):
    total = log_w.logsumexp(0)
    return total - math.log(len(log_w)), ((2 * log_w).logsumexp(0) - 2 * total).exp(), None


# %% wrong: a share
# says: this is ess / M
def report(log_w):
    return log_w.logsumexp(0) - math.log(len(log_w)), 1 / log_w.softmax(0).square().sum(0) / len(log_w), None


# %% wrong: means in place of sums
# says: this is ess / M
def report(log_w):
    w = (log_w - log_w.max(0).values).exp()
    return log_w.logsumexp(0) - math.log(len(log_w)), w.mean(0) ** 2 / (w**2).mean(0), None


# %% wrong: the spread of the weights
# says: this is the spread of one weight
def report(log_w):
    ess = 1 / log_w.softmax(0).square().sum(0)
    return log_w.logsumexp(0) - math.log(len(log_w)), ess, (len(log_w) / ess - 1).sqrt()


# %% wrong: the standard deviation of w over its mean
# says: this is the spread of one weight
def report(log_w):
    w = (log_w - log_w.max(0).values).exp()
    ess = w.sum(0) ** 2 / (w**2).sum(0)
    return log_w.logsumexp(0) - math.log(len(log_w)), ess, w.std(0, correction=0) / w.mean(0)


# %% wrong: no root
# says: take its root
def report(log_w):
    ess = 1 / log_w.softmax(0).square().sum(0)
    return log_w.logsumexp(0) - math.log(len(log_w)), ess, 1 / ess - 1 / len(log_w)


# %% wrong: the variance of the mean
# says: take its root
def report(log_w):
    w = (log_w - log_w.max(0).values).exp()
    ess = w.sum(0) ** 2 / (w**2).sum(0)
    return log_w.logsumexp(0) - math.log(len(log_w)), ess, w.var(0, correction=0) / w.mean(0) ** 2 / len(w)
