# %% right: torch's mixture
def mixture_of(z, loc, scale, weights):
    components = td.Independent(td.Normal(loc, scale), 1)
    weights = td.Categorical(weights.expand(len(z), -1))
    log_p = td.MixtureSameFamily(weights, components).log_prob(z)
    return log_p, (components.log_prob(z[:, None]) + weights.logits - log_p[:, None]).exp()


# %% right: probabilities, in float32
def mixture_of(z, loc, scale, weights):
    z, loc, scale, weights = z.float(), loc.float(), scale.float(), weights.float()
    joint = weights * td.Normal(loc, scale).log_prob(z[:, None, :]).exp().prod(-1)
    return joint.sum(1).log(), joint / joint.sum(1, keepdim=True)


# %% wrong: one
# says: return two: the log-density
def mixture_of(z, loc, scale, weights):
    return (td.Normal(loc, scale).log_prob(z[:, None]).sum(-1) + weights.log()).logsumexp(1)


# %% wrong: a tensor of both
# says: return two: the log-density
def mixture_of(z, loc, scale, weights):
    return (td.Normal(loc, scale).log_prob(z[:, None]).sum(-1) + weights.log()).softmax(1)


# %% wrong: no weights in p(z)
# says: the weights are missing: p(z)
def mixture_of(z, loc, scale, weights):
    return td.Normal(loc, scale).log_prob(z[:, None]).sum(-1).logsumexp(1), None


# %% wrong: densities added up
# says: the weights are missing: p(z)
def mixture_of(z, loc, scale, weights):
    return td.Normal(loc, scale).log_prob(z[:, None]).sum(-1).exp().sum(1).log(), None


# %% wrong: an average of logarithms
# says: this is an average of log-densities
def mixture_of(z, loc, scale, weights):
    return td.Normal(loc, scale).log_prob(z[:, None]).sum(-1) @ weights, None


# %% wrong: an average of logarithms, written out
# says: this is an average of log-densities
def mixture_of(z, loc, scale, weights):
    return sum(w * td.Normal(loc[:, k], scale[:, k]).log_prob(z).sum(-1) for k, w in enumerate(weights)), None


# %% wrong: no weights in Bayes' rule
# says: the weights are missing in Bayes' rule
def mixture_of(z, loc, scale, weights):
    log_each = td.Normal(loc, scale).log_prob(z[:, None]).sum(-1)
    return (log_each + weights.log()).logsumexp(1), log_each.softmax(1)


# %% wrong: no weights in Bayes' rule, by hand
# says: the weights are missing in Bayes' rule
def mixture_of(z, loc, scale, weights):
    each = td.Normal(loc, scale).log_prob(z[:, None]).sum(-1).exp()
    return (each @ weights).log(), each / each.sum(1, keepdim=True)


# %% wrong: the joint
# says: these do not sum to one
def mixture_of(z, loc, scale, weights):
    log_joint = td.Normal(loc, scale).log_prob(z[:, None]).sum(-1) + weights.log()
    return log_joint.logsumexp(1), log_joint.exp()


# %% wrong: the joint, by hand
# says: these do not sum to one
def mixture_of(z, loc, scale, weights):
    joint = td.Normal(loc, scale).log_prob(z[:, None]).sum(-1).exp() * weights
    return joint.sum(1).log(), joint
