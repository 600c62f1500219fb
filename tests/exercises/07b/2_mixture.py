# %% right: by the definition, with autograd, in float32
def mixture_slopes(z, weights, means, scales):
    z, weights, scales = z.float(), weights.float(), scales.float()
    rows = means.float().expand(len(z), -1).clone().requires_grad_()
    cdf = (weights * td.Normal(rows, scales).cdf(z[:, None])).sum()
    (by_means,) = torch.autograd.grad(cdf, rows)
    return -by_means / (weights * td.Normal(means.float(), scales).log_prob(z[:, None]).exp()).sum(1, keepdim=True)


# %% right: component by component
def mixture_slopes(z, weights, means, scales):
    parts = [w * torch.exp(-((z - m) ** 2) / (2 * s**2)) / s for w, m, s in zip(weights, means, scales)]
    return torch.stack([part / sum(parts) for part in parts], 1)


# %% wrong: the nearest component
# says: a sample does not know its component
def mixture_slopes(z, weights, means, scales):
    best = (weights.log() + td.Normal(means, scales).log_prob(z[:, None])).argmax(1)
    return (best[:, None] == torch.arange(3)).double()


# %% wrong: the likeliest component, one-hot
# says: a sample does not know its component
def mixture_slopes(z, weights, means, scales):
    log_joint = weights.log() + td.Normal(means, scales).log_prob(z[:, None])
    return (log_joint == log_joint.amax(1, keepdim=True)).to(z)


# %% wrong: the weights
# says: those are the weights
def mixture_slopes(z, weights, means, scales):
    return weights.repeat(len(z), 1)


# %% wrong: a softmax of the logarithms of the weights
# says: those are the weights
def mixture_slopes(z, weights, means, scales):
    return (weights.log() + 0 * z[:, None]).softmax(-1)


# %% wrong: not divided by the density
# says: divide by the density of the mixture
def mixture_slopes(z, weights, means, scales):
    return weights * td.Normal(means, scales).log_prob(z[:, None]).exp()


# %% wrong: the derivative of F with its sign turned, and no more
# says: divide by the density of the mixture
def mixture_slopes(z, weights, means, scales):
    rows = means.expand(len(z), -1).clone().requires_grad_()
    (by_means,) = torch.autograd.grad((weights * td.Normal(rows, scales).cdf(z[:, None])).sum(), rows)
    return -by_means


# %% wrong: without the weights
# says: the components' densities need their weights
def mixture_slopes(z, weights, means, scales):
    return td.Normal(means, scales).log_prob(z[:, None]).softmax(-1)


# %% wrong: equal weights
# says: the components' densities need their weights
def mixture_slopes(z, weights, means, scales):
    parts = torch.full_like(weights, 1 / 3) * td.Normal(means, scales).log_prob(z[:, None]).exp()
    return parts / parts.sum(1, keepdim=True)


# %% wrong: the other sign
# says: has the right size and the wrong sign
def mixture_slopes(z, weights, means, scales):
    return -(weights.log() + td.Normal(means, scales).log_prob(z[:, None])).softmax(-1)
