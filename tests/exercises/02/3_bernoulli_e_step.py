# %% right: in float32
def bernoulli_e_step(x, weights, means):
    x, weights, means = x.float(), weights.float(), means.float()
    return (weights.log() + x @ means.log().T + (1 - x) @ (1 - means).log().T).softmax(-1)


# %% right: by cross-entropies
def bernoulli_e_step(x, weights, means):
    loss = torch.nn.functional.binary_cross_entropy(
        means.expand(len(x), *means.shape), x[:, None].expand(-1, len(means), -1), reduction="none"
    )
    log_joint = weights.log() - loss.sum(-1)
    return (log_joint - log_joint.logsumexp(-1, keepdim=True)).exp()


# %% wrong: products over products
# says: nan: a product of 2,000 probabilities underflows
def bernoulli_e_step(x, weights, means):
    joint = weights * torch.where(x[:, None] == 1, means, 1 - means).prod(-1)
    return joint / joint.sum(-1, keepdim=True)


# %% wrong: logarithms added, and exponentials divided
# says: nan: a product of 2,000 probabilities underflows
def bernoulli_e_step(x, weights, means):
    joint = (weights.log() + x @ means.log().T + (1 - x) @ (1 - means).log().T).exp()
    return joint / joint.sum(-1, keepdim=True)


# %% wrong: softmax over images
# says: these sum to one over images
def bernoulli_e_step(x, weights, means):
    return (weights.log() + x @ means.log().T + (1 - x) @ (1 - means).log().T).softmax(0)


# %% wrong: normalised along the wrong axis
# says: these sum to one over images
def bernoulli_e_step(x, weights, means):
    log_joint = weights.log() + x @ means.log().T + (1 - x) @ (1 - means).log().T
    return (log_joint - log_joint.logsumexp(0)).exp()


# %% wrong: likelihoods only
# says: the prior log pi_k is missing
def bernoulli_e_step(x, weights, means):
    return (x @ means.log().T + (1 - x) @ (1 - means).log().T).softmax(-1)


# %% wrong: a uniform prior
# says: the prior log pi_k is missing
def bernoulli_e_step(x, weights, means):
    return td.Categorical(logits=td.Bernoulli(means).log_prob(x[:, None]).sum(-1)).probs


# %% wrong: ink only
# says: white pixels are evidence too
def bernoulli_e_step(x, weights, means):
    return (weights.log() + x @ means.log().T).softmax(-1)


# %% wrong: a sum over the pixels that have ink
# says: white pixels are evidence too
def bernoulli_e_step(x, weights, means):
    return (weights.log() + torch.where(x[:, None] == 1, means.log(), 0).sum(-1)).softmax(-1)
