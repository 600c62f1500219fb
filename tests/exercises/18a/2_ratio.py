# %% right: by two logarithms
def bound_estimate(probability, log_px_z):
    return log_px_z.mean() - (probability.log() - torch.log1p(-probability)).mean()


# %% wrong: one logarithm
# says: the ratio q / p is p(q) / (1 - p(q))
def bound_estimate(probability, log_px_z):
    return (log_px_z - probability.log()).mean()


# %% wrong: one logarithm, apart
# says: the ratio q / p is p(q) / (1 - p(q))
def bound_estimate(probability, log_px_z):
    return log_px_z.mean() - probability.log().mean()


# %% wrong: the sign
# says: the sign of the ratio is turned round
def bound_estimate(probability, log_px_z):
    return (log_px_z + torch.logit(probability)).mean()


# %% wrong: the prior's probability
# says: the sign of the ratio is turned round
def bound_estimate(probability, log_px_z):
    return (log_px_z - torch.logit(1 - probability)).mean()


# %% wrong: probabilities themselves
# says: this subtracts the probabilities
def bound_estimate(probability, log_px_z):
    return (log_px_z - probability).mean()


# %% wrong: probabilities themselves, apart
# says: this subtracts the probabilities
def bound_estimate(probability, log_px_z):
    return log_px_z.mean() - probability.mean()


# %% wrong: a sum
# says: this is a sum
def bound_estimate(probability, log_px_z):
    return (log_px_z - torch.logit(probability)).sum()


# %% wrong: a sum, by a loop
# says: this is a sum
def bound_estimate(probability, log_px_z):
    total = 0.0
    for p, log_p in zip(probability, log_px_z):
        total = total + log_p - torch.logit(p)
    return total
