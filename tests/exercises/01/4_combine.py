# %% right: weights first
def combine(log_estimates, sizes):
    return ((sizes / sizes.sum()).log() + log_estimates).logsumexp(0)


# %% right: in float32
def combine(log_estimates, sizes):
    log_estimates, sizes = log_estimates.float(), sizes.float()
    largest = log_estimates.max()
    return largest + ((log_estimates - largest).exp() @ sizes / sizes.sum()).log()


# %% wrong: the mean
# says: a mean of logarithms: biased
def combine(log_estimates, sizes):
    return log_estimates.mean()


# %% wrong: the sum over their number
# says: a mean of logarithms: biased
def combine(log_estimates, sizes):
    return log_estimates.sum() / len(sizes)


# %% wrong: the weighted mean
# says: still a mean of logarithms
def combine(log_estimates, sizes):
    return (log_estimates * sizes).sum() / sizes.sum()


# %% wrong: the weighted mean, by shares
# says: still a mean of logarithms
def combine(log_estimates, sizes):
    return log_estimates @ (sizes / sizes.sum())


# %% wrong: equal weights
# says: a small chunk counts as much
def combine(log_estimates, sizes):
    return log_estimates.logsumexp(0) - math.log(len(sizes))


# %% wrong: equal weights, shifted
# says: a small chunk counts as much
def combine(log_estimates, sizes):
    largest = log_estimates.max()
    return largest + (log_estimates - largest).exp().mean().log()


# %% wrong: the sum
# says: - log S is lost
def combine(log_estimates, sizes):
    return (log_estimates + sizes.log()).logsumexp(0)


# %% wrong: the sum, shifted
# says: - log S is lost
def combine(log_estimates, sizes):
    largest = log_estimates.max()
    return largest + ((log_estimates - largest).exp() @ sizes).log()


# %% wrong: out of logarithms
# says: stay among logarithms
def combine(log_estimates, sizes):
    return (log_estimates.exp() @ sizes / sizes.sum()).log()


# %% wrong: out of logarithms, by shares
# says: stay among logarithms
def combine(log_estimates, sizes):
    return ((sizes / sizes.sum()) * log_estimates.exp()).sum().log()
