# %% right: a product of powers, normalised, in float32
def best_shared(posteriors):
    g = (posteriors.float() ** (1 / len(posteriors))).prod(0)
    return g / g.sum(), -g.sum().log()


# %% right: by softmax
def best_shared(posteriors):
    log_mean = posteriors.log().sum(0) / posteriors.shape[0]
    return log_mean.softmax(0), -log_mean.logsumexp(0).item()


# %% wrong: nothing is returned
# says: return two things
def best_shared(posteriors):
    posteriors.log().mean(0).softmax(0)


# %% wrong: q alone
# says: return two things
def best_shared(posteriors):
    return posteriors.log().mean(0).softmax(0)


# %% wrong: the arithmetic mean
# says: that is the arithmetic mean
def best_shared(posteriors):
    q = posteriors.mean(0)
    return q, (q * (q.log() - posteriors.log())).sum(-1).mean()


# %% wrong: the arithmetic mean and the other divergence
# says: that is the arithmetic mean
def best_shared(posteriors):
    q = posteriors.sum(0) / len(posteriors)
    return q, (posteriors * (posteriors.log() - q.log())).sum(-1).mean()


# %% wrong: not normalised
# says: must sum to one
def best_shared(posteriors):
    log_mean = posteriors.log().mean(0)
    return log_mean.exp(), -log_mean.logsumexp(0)


# %% wrong: the root of the product
# says: must sum to one
def best_shared(posteriors):
    g = posteriors.prod(0) ** (1 / len(posteriors))
    return g, -g.sum().log()


# %% wrong: the sum of the gaps
# says: that is the sum over the data
def best_shared(posteriors):
    log_mean = posteriors.log().mean(0)
    return log_mean.softmax(0), -len(posteriors) * log_mean.logsumexp(0)


# %% wrong: summed divergences
# says: that is the sum over the data
def best_shared(posteriors):
    q = posteriors.log().mean(0).softmax(0)
    return q, (q * (q.log() - posteriors.log())).sum()


# %% wrong: a small number added to every posterior
# says: a state that one datum rules out
def best_shared(posteriors):
    log_mean = (posteriors + 1e-9).log().mean(0)
    return log_mean.softmax(0), -log_mean.logsumexp(0)


# %% wrong: the gap as a mean of divergences, 0 log 0
# says: a state that one datum rules out
def best_shared(posteriors):
    q = posteriors.log().mean(0).softmax(0)
    return q, (q * (q.log() - posteriors.log())).sum(-1).mean()
