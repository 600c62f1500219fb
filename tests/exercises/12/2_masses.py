# %% right: the larger side subtracted in logarithms
def log_masses(loc, scale, num_levels):
    edges = torch.arange(1, num_levels, dtype=torch.float64) - 0.5
    t = (edges - loc.double()) / scale.double()
    above, below = F.logsigmoid(-t), F.logsigmoid(t)  # of every inner edge
    zero, nothing = torch.zeros(1, dtype=torch.float64), torch.full((1,), -math.inf, dtype=torch.float64)
    below = torch.cat([nothing, below, zero])
    above = torch.cat([zero, above, nothing])
    upper = below[1:] + torch.log1p(-(below[:-1] - below[1:]).exp())
    lower = above[:-1] + torch.log1p(-(above[1:] - above[:-1]).exp())
    level = torch.arange(num_levels)
    return torch.where(level < loc, upper, lower)


# %% right: the package's
def log_masses(loc, scale, num_levels):
    return Bells(loc[None], scale.log()[None], num_levels).log_prob(torch.arange(num_levels, dtype=loc.dtype))


# %% wrong: three terms everywhere
# says: lack their tails
def log_masses(loc, scale, num_levels):
    level = torch.arange(num_levels, dtype=loc.dtype)
    a, b = (level + 0.5 - loc) / scale, (level - 0.5 - loc) / scale
    return F.logsigmoid(a) + F.logsigmoid(-b) + torch.log(-torch.expm1(-1 / scale))


# %% wrong: differences of sigmoids in float64, without tails
# says: lack their tails
def log_masses(loc, scale, num_levels):
    edges = (torch.arange(num_levels + 1, dtype=torch.float64) - 0.5 - loc) / scale
    return torch.where(edges[1:] < 0, edges.sigmoid().diff(), -(-edges).sigmoid().diff()).log()


# %% wrong: the density
# says: this is the density of the bell
def log_masses(loc, scale, num_levels):
    z = (torch.arange(num_levels, dtype=loc.dtype) - loc) / scale
    return F.logsigmoid(z) + F.logsigmoid(-z) - scale.log()


# %% wrong: the density by its formula
# says: this is the density of the bell
def log_masses(loc, scale, num_levels):
    z = ((torch.arange(num_levels, dtype=torch.float64) - loc) / scale).abs()
    return -z - scale.log() - 2 * torch.log1p((-z).exp())


# %% wrong: probabilities
# says: return their logarithms
def log_masses(loc, scale, num_levels):
    return Bells(loc[None], scale.log()[None], num_levels).log_prob(torch.arange(num_levels, dtype=loc.dtype)).exp()


# %% wrong: probabilities by sigmoids
# says: return their logarithms
def log_masses(loc, scale, num_levels):
    below = ((torch.arange(1, num_levels, dtype=torch.float64) - 0.5 - loc) / scale).sigmoid()
    return torch.cat([torch.zeros(1), below, torch.ones(1)]).diff()


# %% wrong: sigmoids subtracted in float64, both from below
# says: -inf
def log_masses(loc, scale, num_levels):
    below = ((torch.arange(1, num_levels, dtype=torch.float64) - 0.5 - loc) / scale).sigmoid()
    above = (-(torch.arange(1, num_levels, dtype=torch.float64) - 0.5 - loc) / scale).sigmoid()
    p = torch.cat([torch.zeros(1), below, torch.ones(1)]).diff()
    q = -torch.cat([torch.ones(1), above, torch.zeros(1)]).diff()
    return (p if loc < 0 else torch.where(torch.arange(num_levels) < loc, p, q)).log()


# %% wrong: sigmoids subtracted where the bell lies below the levels
# says: -inf
def log_masses(loc, scale, num_levels):
    levels = torch.arange(num_levels, dtype=loc.dtype)
    right = Bells(loc[None], scale.log()[None], num_levels).log_prob(levels)
    naive = ((levels + 0.5 - loc) / scale).sigmoid() - ((levels - 0.5 - loc) / scale).sigmoid()
    return naive.log() if loc < 0 else right


# %% wrong: clamped
# says: far from the bell the logarithm is wrong
def log_masses(loc, scale, num_levels):
    right = Bells(loc[None], scale.log()[None], num_levels).log_prob(torch.arange(num_levels, dtype=loc.dtype))
    return right.clamp(min=-30) if loc < 0 else right


# %% wrong: a floor under the probabilities
# says: far from the bell the logarithm is wrong
def log_masses(loc, scale, num_levels):
    right = Bells(loc[None], scale.log()[None], num_levels).log_prob(torch.arange(num_levels, dtype=loc.dtype))
    return (right.exp() + 1e-12).log() if loc < 0 else right


# %% wrong: the lowest level has no tail where the bell lies below it
# says: the masses do not sum to one
def log_masses(loc, scale, num_levels):
    level = torch.arange(num_levels, dtype=loc.dtype)
    a, b = (level + 0.5 - loc) / scale, (level - 0.5 - loc) / scale
    log_p = F.logsigmoid(a) + F.logsigmoid(-b) + torch.log(-torch.expm1(-1 / scale))
    log_p[-1] = F.logsigmoid(-b[-1])
    log_p[0] = F.logsigmoid(a[0]) if loc > 0 else log_p[0]
    return log_p


# %% wrong: a tail of the wrong side
# says: the masses do not sum to one
def log_masses(loc, scale, num_levels):
    right = Bells(loc[None], scale.log()[None], num_levels).log_prob(torch.arange(num_levels, dtype=loc.dtype))
    return right if loc > 0 else torch.cat([right[:1] - 1, right[1:]])
