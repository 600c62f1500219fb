# %% right: as a KL
def without_label(bounds, q_y):
    best = torch.exp(bounds - bounds.logsumexp(1, keepdim=True))
    return bounds.logsumexp(1) - (q_y * (q_y / best).log()).sum(1), best


# %% right: torch's entropy, in float32
def without_label(bounds, q_y):
    bounds, q = bounds.float(), td.Categorical(q_y.float())
    return (q.probs * bounds).sum(1) + q.entropy(), td.Categorical(logits=bounds).probs


# %% wrong: one
# says: return two: the bound
def without_label(bounds, q_y):
    return (q_y * (bounds - q_y.log())).sum(1)


# %% wrong: only the best
# says: return two: the bound
def without_label(bounds, q_y):
    return bounds.softmax(1)


# %% wrong: no entropy
# says: the entropy of q(y|x) is missing
def without_label(bounds, q_y):
    return (q_y * bounds).sum(1), None


# %% wrong: no entropy, by einsum
# says: the entropy of q(y|x) is missing
def without_label(bounds, q_y):
    return torch.einsum("bc,bc->b", q_y, bounds), None


# %% wrong: minus the entropy
# says: the entropy has the wrong sign
def without_label(bounds, q_y):
    return (q_y * (bounds + q_y.log())).sum(1), None


# %% wrong: minus torch's entropy
# says: the entropy has the wrong sign
def without_label(bounds, q_y):
    return (q_y * bounds).sum(1) - td.Categorical(q_y).entropy(), None


# %% wrong: at the best q
# says: this is the bound at the best q(y|x)
def without_label(bounds, q_y):
    return bounds.logsumexp(1), None


# %% wrong: at the best q, written out
# says: this is the bound at the best q(y|x)
def without_label(bounds, q_y):
    best = bounds.softmax(1)
    return (best * (bounds - best.log())).sum(1), None


# %% wrong: one-hot
# says: all mass on the best class
def without_label(bounds, q_y):
    return (q_y * (bounds - q_y.log())).sum(1), (bounds == bounds.amax(1, keepdim=True)).double()


# %% wrong: one-hot, by an index
# says: all mass on the best class
def without_label(bounds, q_y):
    best = torch.zeros_like(bounds)
    best[torch.arange(len(bounds)), bounds.argmax(1)] = 1
    return (q_y * (bounds - q_y.log())).sum(1), best


# %% wrong: q once more
# says: q(y|x) does not enter
def without_label(bounds, q_y):
    return (q_y * (bounds - q_y.log())).sum(1), (bounds + q_y.log()).softmax(1)


# %% wrong: q as a prior
# says: q(y|x) does not enter
def without_label(bounds, q_y):
    weight = q_y * (bounds - bounds.amax(1, keepdim=True)).exp()
    return (q_y * (bounds - q_y.log())).sum(1), weight / weight.sum(1, keepdim=True)
