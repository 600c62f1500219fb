# %% right: a mixture of torch's
def log_q(loc, scale, z):
    components = td.Independent(td.Normal(loc, scale), 1)
    return td.MixtureSameFamily(td.Categorical(torch.ones(len(loc))), components).log_prob(z)


# %% right: a loop over points, in float32
def log_q(loc, scale, z):
    loc, scale, z = loc.float(), scale.float(), z.float()
    rows = []
    for point in z:
        log_each = (-0.5 * ((point - loc) / scale) ** 2 - scale.log() - 0.5 * math.log(2 * math.pi)).sum(1)
        rows.append(torch.logsumexp(log_each, 0) - math.log(loc.shape[0]))
    return torch.stack(rows)


# %% wrong: no division by N
# says: this is a sum of densities
def log_q(loc, scale, z):
    return td.Normal(loc, scale).log_prob(z[:, None]).sum(-1).logsumexp(1)


# %% wrong: densities added up
# says: this is a sum of densities
def log_q(loc, scale, z):
    return td.Normal(loc, scale).log_prob(z[:, None]).sum(-1).exp().sum(1).log()


# %% wrong: mean of logarithms
# says: this is the mean of log q(z|x_n)
def log_q(loc, scale, z):
    return td.Normal(loc, scale).log_prob(z[:, None]).sum(-1).mean(1)


# %% wrong: mean of logarithms, in a loop
# says: this is the mean of log q(z|x_n)
def log_q(loc, scale, z):
    total = 0
    for m, s in zip(loc, scale):
        total = total + td.Independent(td.Normal(m, s), 1).log_prob(z)
    return total / len(loc)


# %% wrong: each latent has its own mixture
# says: sum over the latents before the mean over data
def log_q(loc, scale, z):
    return (td.Normal(loc, scale).log_prob(z[:, None]).logsumexp(1) - math.log(len(loc))).sum(-1)


# %% wrong: each latent has its own mixture, by means of densities
# says: sum over the latents before the mean over data
def log_q(loc, scale, z):
    return td.Normal(loc, scale).log_prob(z[:, None]).exp().mean(1).log().sum(-1)
