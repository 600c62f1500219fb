# %% right: densities from the largest down
def known(log_q):
    S = len(log_q)
    total = torch.tensor(0.0, dtype=log_q.dtype)
    for s in range(S):
        others = torch.cat([log_q[s, :s], log_q[s, s + 1 :]])
        total = total + log_q[s, s] - others.logsumexp(0) + math.log(S - 1)
    return total / S


# %% right: densities summed, float32
def known(log_q):
    log_q = log_q.float()
    own = log_q.diagonal()
    return (own - ((log_q.exp().sum(1) - own.exp()) / (len(log_q) - 1)).log()).mean()


# %% wrong: itself among the others
# says: the own sample is among the others
def known(log_q):
    return (log_q.diagonal() - log_q.logsumexp(1) + math.log(len(log_q))).mean()


# %% wrong: counted one too many
# says: the number of others is S - 1, not S
def known(log_q):
    others = log_q.masked_fill(torch.eye(len(log_q), dtype=torch.bool), -math.inf)
    return (log_q.diagonal() - others.logsumexp(1) + math.log(len(log_q))).mean()


# %% wrong: along the other axis
# says: average over z_1, which is the second index
def known(log_q):
    others = log_q.masked_fill(torch.eye(len(log_q), dtype=torch.bool), -math.inf)
    return (log_q.diagonal() - others.logsumexp(0) + math.log(len(log_q) - 1)).mean()


# %% wrong: a mean of logarithms
# says: average the densities, then take the logarithm
def known(log_q):
    own = log_q.diagonal()
    return (own - (log_q.sum(1) - own) / (len(log_q) - 1)).mean()


# %% wrong: a sum for a mean
# says: the count of the mean is missing
def known(log_q):
    others = log_q.masked_fill(torch.eye(len(log_q), dtype=torch.bool), -math.inf)
    return (log_q.diagonal() - others.logsumexp(1)).mean()


# %% wrong: the whole row
# says: the own sample is among the others
def known(log_q):
    return (log_q.diagonal() - log_q.exp().mean(1).log()).mean()


# %% wrong: a sum of the others over S
# says: the number of others is S - 1, not S
def known(log_q):
    own = log_q.diagonal()
    return (own - ((log_q.exp().sum(1) - own.exp()) / len(log_q)).log()).mean()


# %% wrong: summed over columns
# says: average over z_1, which is the second index
def known(log_q):
    own = log_q.diagonal()
    return (own - ((log_q.exp().sum(0) - own.exp()) / (len(log_q) - 1)).log()).mean()


# %% wrong: logarithms of the others averaged
# says: average the densities, then take the logarithm
def known(log_q):
    apart = ~torch.eye(len(log_q), dtype=torch.bool)
    return log_q.diagonal().mean() - log_q[apart].mean()


# %% wrong: densities summed
# says: the count of the mean is missing
def known(log_q):
    own = log_q.diagonal()
    return (own - (log_q.exp().sum(1) - own.exp()).log()).mean()
