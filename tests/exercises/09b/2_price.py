# %% right: the KL and the expected pixels, in float32
def net_length(q, prior, likelihood):
    q, prior, likelihood = q.float(), prior.float(), likelihood.float()
    kl = torch.xlogy(q, q / prior).sum()
    return (kl - (q * likelihood.log()).sum()) / 0.6931471805599453


# %% right: only the states that are chosen, in base 2
def net_length(q, prior, likelihood):
    chosen = q > 0
    w = prior[chosen] * likelihood[chosen] / q[chosen]
    return -(q[chosen] * w.log2()).sum()


# %% wrong: in nats
# says: these are nats
def net_length(q, prior, likelihood):
    return (torch.xlogy(q, q) - q * (prior * likelihood).log()).sum()


# %% wrong: in nats, by the divergence
# says: these are nats
def net_length(q, prior, likelihood):
    return torch.xlogy(q, q / prior).sum() - (q * likelihood.log()).sum()


# %% wrong: no refund
# says: nothing comes back here
def net_length(q, prior, likelihood):
    return -(q * (prior * likelihood).log2()).sum()


# %% wrong: the two-part code
# says: nothing comes back here
def net_length(q, prior, likelihood):
    return (q * (-prior.log2() - likelihood.log2())).sum()


# %% wrong: z for nothing
# says: z is not paid for
def net_length(q, prior, likelihood):
    return (torch.xlogy(q, q) - q * likelihood.log()).sum() / math.log(2)


# %% wrong: entropy and pixels
# says: z is not paid for
def net_length(q, prior, likelihood):
    some = q > 0
    return (q[some] * (q[some].log2() - likelihood[some].log2())).sum()


# %% wrong: the KL alone
# says: this is the KL alone
def net_length(q, prior, likelihood):
    return torch.xlogy(q, q / prior).sum() / math.log(2)


# %% wrong: the KL in base 2
# says: this is the KL alone
def net_length(q, prior, likelihood):
    some = q > 0
    return (q[some] * (q[some] / prior[some]).log2()).sum()


# %% wrong: zero times minus infinity
# says: a state with q = 0 is never chosen
def net_length(q, prior, likelihood):
    return (q * (q.log2() - prior.log2() - likelihood.log2())).sum()


# %% wrong: the same in natural logarithms
# says: a state with q = 0 is never chosen
def net_length(q, prior, likelihood):
    return (q * (q / (prior * likelihood)).log()).sum() / math.log(2)
