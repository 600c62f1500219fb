# %% right: a comparison with the largest
def hard_e_step(x, weights, means):
    log_joint = weights.log() + td.Bernoulli(means).log_prob(x[:, None]).sum(-1)
    return (log_joint == log_joint.max(-1, keepdim=True).values).double()


# %% right: in float32
def hard_e_step(x, weights, means):
    x, weights, means = x.float(), weights.float(), means.float()
    log_joint = weights.log() + x @ means.log().T + (1 - x) @ (1 - means).log().T
    return torch.eye(len(weights))[log_joint.argmax(-1)]


# %% wrong: the soft step
# says: some images are still shared
def hard_e_step(x, weights, means):
    return (weights.log() + x @ means.log().T + (1 - x) @ (1 - means).log().T).softmax(-1)


# %% wrong: the soft step by the package
# says: some images are still shared
def hard_e_step(x, weights, means):
    return BernoulliMixture(weights, means).e_step(x).probs


# %% wrong: the likeliest cluster
# says: its prior is missing
def hard_e_step(x, weights, means):
    log_likelihood = x @ means.log().T + (1 - x) @ (1 - means).log().T
    return torch.nn.functional.one_hot(log_likelihood.argmax(-1), len(weights)).to(x.dtype)


# %% wrong: nearest in likelihood, by a product
# says: its prior is missing
def hard_e_step(x, weights, means):
    likelihood = torch.where(x[:, None] == 1, means, 1 - means).prod(-1)
    return torch.eye(len(weights), dtype=x.dtype)[likelihood.argmax(-1)]


# %% wrong: the cluster's number
# says: this names the cluster
def hard_e_step(x, weights, means):
    return (weights.log() + x @ means.log().T + (1 - x) @ (1 - means).log().T).argmax(-1)


# %% wrong: the number from a maximum
# says: this names the cluster
def hard_e_step(x, weights, means):
    return BernoulliMixture(weights, means).posterior.log_joint(x).max(-1).indices
