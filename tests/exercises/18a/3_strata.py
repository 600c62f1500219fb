# %% right: by densities, in a loop
def stratified_bound(log_weights, log_joint, log_q_each):
    total = 0.0
    for k, weight in enumerate(log_weights.exp()):
        q = (log_weights.exp() * log_q_each[:, k].exp()).sum(-1)
        total = total + weight * (log_joint[:, k] - q.log()).mean()
    return total


# %% wrong: each sample's own component
# says: log q is that of each sample's own component
def stratified_bound(log_weights, log_joint, log_q_each):
    own = log_q_each.diagonal(0, 1, 2)
    return (log_weights.exp() * (log_joint - own)).sum(-1).mean()


# %% wrong: each sample's own component, in a loop
# says: log q is that of each sample's own component
def stratified_bound(log_weights, log_joint, log_q_each):
    return sum(w * (log_joint[:, k] - log_q_each[:, k, k]).mean() for k, w in enumerate(log_weights.exp()))


# %% wrong: all alike
# says: all samples count alike
def stratified_bound(log_weights, log_joint, log_q_each):
    return (log_joint - (log_weights + log_q_each).logsumexp(-1)).mean()


# %% wrong: all alike, two means
# says: all samples count alike
def stratified_bound(log_weights, log_joint, log_q_each):
    return log_joint.mean() - (log_weights + log_q_each).logsumexp(-1).mean()


# %% wrong: a mixture without weights
# says: the mixture's density has the components' weights in it
def stratified_bound(log_weights, log_joint, log_q_each):
    return (log_weights.exp() * (log_joint - log_q_each.logsumexp(-1))).sum(-1).mean()


# %% wrong: a mixture without weights, by densities
# says: the mixture's density has the components' weights in it
def stratified_bound(log_weights, log_joint, log_q_each):
    return (log_weights.exp() * (log_joint - log_q_each.exp().sum(-1).log())).sum(-1).mean()


# %% wrong: a sum over samples
# says: this is a sum over samples
def stratified_bound(log_weights, log_joint, log_q_each):
    return (log_weights.exp() * (log_joint - (log_weights + log_q_each).logsumexp(-1))).sum()


# %% wrong: a sum over samples, component by component
# says: this is a sum over samples
def stratified_bound(log_weights, log_joint, log_q_each):
    log_q = (log_weights + log_q_each).logsumexp(-1)
    return sum(w * (log_joint[:, k] - log_q[:, k]).sum() for k, w in enumerate(log_weights.exp()))
