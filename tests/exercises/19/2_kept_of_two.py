# %% right: in loops, in float32
def kept_of_two(p, q):
    p, q = p.float(), q.float()
    kept = torch.zeros(len(p))
    for z in range(len(p)):
        for other in range(len(p)):
            kept[z] += q[other] * p[z] / (0.5 * (p[z] / q[z] + p[other] / q[other]))
    return kept


# %% right: by what is kept of each ordered pair
def kept_of_two(p, q):
    w = p / q
    chance = w[:, None] / (w[:, None] + w)  # that the first of the two is kept
    return 2 * q * (chance @ q)


# %% wrong: a uniform other
# says: not from a uniform distribution
def kept_of_two(p, q):
    w = p / q
    return (p[:, None] / ((w[:, None] + w) / 2)).mean(1)


# %% wrong: a uniform other, in a loop
# says: not from a uniform distribution
def kept_of_two(p, q):
    w = p / q
    return sum(p / ((w + other) / 2) for other in w) / len(w)


# %% wrong: normalised first
# says: do not normalise before averaging
def kept_of_two(p, q):
    w = p / q
    tilde = p[:, None] / ((w[:, None] + w) / 2)
    return (tilde / tilde.sum(0)) @ q


# %% wrong: normalised first, in a loop
# says: do not normalise before averaging
def kept_of_two(p, q):
    w, kept = p / q, torch.zeros_like(p)
    for chance, other in zip(q, w):
        tilde = p / (w + other)
        kept = kept + chance * tilde / tilde.sum()
    return kept


# %% wrong: the posterior
# says: where k goes to infinity
def kept_of_two(p, q):
    return p / p.sum()


# %% wrong: the posterior by weights
# says: where k goes to infinity
def kept_of_two(p, q):
    return q * (p / q) / (q @ (p / q))


# %% wrong: the sum of the weights
# says: not their sum
def kept_of_two(p, q):
    w = p / q
    return (p[:, None] / (w[:, None] + w)) @ q


# %% wrong: the sum of the weights, in a loop
# says: not their sum
def kept_of_two(p, q):
    w = p / q
    return torch.stack([(q * p[z] / (w[z] + w)).sum() for z in range(len(p))])


# %% wrong: q over the weights
# says: q comes in through the weights
def kept_of_two(p, q):
    w = p / q
    return (q[:, None] / ((w[:, None] + w) / 2)) @ q


# %% wrong: q over the weights, in a loop
# says: q comes in through the weights
def kept_of_two(p, q):
    w = p / q
    return sum(chance * q / ((w + other) / 2) for chance, other in zip(q, w))
