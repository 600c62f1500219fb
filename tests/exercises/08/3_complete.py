# %% right: weights that are normalised by hand
def complete(model, x, observed, num_samples=20000):
    z = model.prior().sample((num_samples,))
    p = model.likelihood(z).mean
    log_w = (x * p.log() + (1 - x) * (1 - p).log())[:, observed].sum(1)
    w = torch.exp(log_w - log_w.max())
    return (w[:, None] * p).sum(0)[~observed] / w.sum()


# %% right: in float32
def complete(model, x, observed, num_samples=20000):
    z = model.prior().sample((num_samples,))
    p = model.likelihood(z).mean.float()
    weights = torch.softmax(td.Bernoulli(p[:, observed]).log_prob(x[observed].float()).sum(-1), 0)
    return torch.einsum("s,sd->d", weights, p[:, ~observed])


# %% wrong: the prior's answer
# says: ignores the observed pixels
def complete(model, x, observed, num_samples=20000):
    return model.likelihood(model.prior().sample((num_samples,))).mean.mean(0)[~observed]


# %% wrong: a softmax over the wrong axis gives every sample the same weight
# says: ignores the observed pixels
def complete(model, x, observed, num_samples=20000):
    p = model.likelihood(model.prior().sample((num_samples,))).mean
    weight = td.Bernoulli(p[:, observed]).log_prob(x[observed]).sum(-1, keepdim=True).softmax(-1)
    return (weight * p).sum(0)[~observed] / weight.sum()


# %% wrong: all pixels in the weight
# says: leaked into the weights
def complete(model, x, observed, num_samples=200000):
    p = model.likelihood(model.prior().sample((num_samples,))).mean
    return td.Bernoulli(p).log_prob(x).sum(-1).softmax(0) @ p[:, ~observed]


# %% wrong: the joint density of the model in the weight
# says: leaked into the weights
def complete(model, x, observed, num_samples=200000):
    z = model.prior().sample((num_samples,))
    return model.likelihood(z).log_prob(x).softmax(0) @ model.likelihood(z).mean[:, ~observed]


# %% wrong: probabilities of all pixels
# says: one for each pixel that was not seen
def complete(model, x, observed, num_samples=20000):
    p = model.likelihood(model.prior().sample((num_samples,))).mean
    return td.Bernoulli(p[:, observed]).log_prob(x[observed]).sum(-1).softmax(0) @ p
