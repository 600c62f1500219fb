# %% right: a loop over pairs, in float32
def all_pairs(log_w):
    log_w = log_w.float()
    k = len(log_w)
    pairs = [torch.stack([log_w[i], log_w[j]]).logsumexp(0) - math.log(2) for i in range(k) for j in range(i)]
    return sum(pairs) / len(pairs)


# %% right: from the whole square, without its diagonal
def all_pairs(log_w):
    k = len(log_w)
    square = torch.logaddexp(log_w[:, None], log_w[None]) - math.log(2)
    return (square.sum((0, 1)) - log_w.sum(0)) / (k * (k - 1))


# %% wrong: without log 2
# says: log 2 is missing
def all_pairs(log_w):
    i, j = torch.triu_indices(len(log_w), len(log_w), offset=1)
    return torch.logaddexp(log_w[i], log_w[j]).mean(0)


# %% wrong: without log 2, in a loop
# says: log 2 is missing
def all_pairs(log_w):
    k = len(log_w)
    pairs = [(log_w[i].exp() + log_w[j].exp()).log() for i in range(k) for j in range(i)]
    return torch.stack(pairs).mean(0)


# %% wrong: with itself
# says: paired with itself
def all_pairs(log_w):
    return (torch.logaddexp(log_w[:, None], log_w[None]) - math.log(2)).mean((0, 1))


# %% wrong: with itself, flattened
# says: paired with itself
def all_pairs(log_w):
    both = torch.logaddexp(log_w[:, None], log_w[None]).flatten(0, 1)
    return both.mean(0) - math.log(2)


# %% wrong: mean of logarithms
# says: an ELBO
def all_pairs(log_w):
    return log_w.mean(0)


# %% wrong: mean of logarithms of pairs
# says: an ELBO
def all_pairs(log_w):
    i, j = torch.triu_indices(len(log_w), len(log_w), offset=1)
    return ((log_w[i] + log_w[j]) / 2).mean(0)


# %% wrong: the first two
# says: the first two alone
def all_pairs(log_w):
    return log_w[:2].logsumexp(0) - math.log(2)


# %% wrong: the first two, by logaddexp
# says: the first two alone
def all_pairs(log_w):
    return torch.logaddexp(log_w[0], log_w[1]) - math.log(2)


# %% wrong: all at once
# says: that is L_k
def all_pairs(log_w):
    return log_w.logsumexp(0) - math.log(len(log_w))


# %% wrong: all at once, by exp
# says: that is L_k
def all_pairs(log_w):
    return log_w.exp().mean(0).log()


# %% wrong: weights that underflow
# says: stay with logarithms
def all_pairs(log_w):
    i, j = torch.triu_indices(len(log_w), len(log_w), offset=1)
    return ((log_w[i].exp() + log_w[j].exp()) / 2).log().mean(0)


# %% wrong: weights that underflow, in a loop
# says: stay with logarithms
def all_pairs(log_w):
    k = len(log_w)
    pairs = [(0.5 * log_w[i].exp() + 0.5 * log_w[j].exp()).log() for i in range(k) for j in range(i)]
    return torch.stack(pairs).mean(0)
